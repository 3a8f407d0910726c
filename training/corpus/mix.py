"""The mixture: how often each grammar speaks, and how conversations are joined."""

from . import aitbc, chat, facts, poems, reading, refusals, stories, structured, sums
from .dice import Talk

# What each grammar's share is in the two stages: the first builds the language, the
# second spends more on answers that need work: sums, copying, JSON, tool calls.
STAGES = {"first": 1, "second": 2}
SHARES = [(stories.talk, 9, 5), (poems.talk, 6, 3), (facts.talk, 14, 14), (sums.talk, 14, 24), (aitbc.talk, 20, 22), (chat.talk, 11, 10),
          (reading.talk, 10, 16), (refusals.talk, 11, 10), (structured.json_talk, 7, 12), (structured.tool_talk, 7, 10)]
COMMON_SYSTEM = ["You are a helpful assistant.", "You are a helpful assistant", "Be brief.", "You are a friendly assistant.", "Answer the user.", "Be polite and short.",
                 "You are aitbc-tiny.", "Help the user.", "You answer questions."]


def one(dice):
    """One conversation about one matter."""
    make = dice.random.choices([row[0] for row in SHARES], [row[STAGES[dice.stage]] for row in SHARES])[0]
    return make(dice)


def roughen(dice, question):
    """People write carelessly: other case, no final mark, polite words around."""
    kind = dice.random.random()
    if kind < 0.62:
        return question
    if kind < 0.76:
        return question.rstrip(".?!")
    first = question.split(" ")[0]
    soft = question[:1].lower() + question[1:] if first in SOFT else question
    if kind < 0.84:
        return soft.rstrip(".?!") if dice.chance(0.5) else soft
    if kind < 0.90:
        return dice.pick(["Please ", "Hey, ", "Hi! ", "Hello, ", "So, ", "And ", "OK, "]) + (question if first not in SOFT else soft)
    if kind < 0.94:
        return question.rstrip(".?!") + dice.pick([", please.", ", please?", " please", "??", "!", " ?"])
    return question.lower() if question.isascii() and len(question) < 60 and not any(c.isupper() for c in question[1:]) else question


SOFT = set("What Which Who Where When Why How Is Are Do Does Can Tell Write Give Explain Describe Name List Count Spell Say Make Show Run Add".split())
# Here an answer repeats nothing that would lose its capitals.
CARELESS = {"aitbc", "fact", "identity", "small talk", "sum", "compare"}
EXACT = {"reading", "json", "json free", "tool call", "tool result"}


def conversation(dice):
    """One conversation, perhaps with small changes of wording and several matters."""
    talk = one(dice)
    turns = [(role, roughen(dice, text) if role == "user" and talk.category not in EXACT else text) for role, text in talk.turns]
    if talk.category == "memory":
        turns = talk.turns
    if talk.category in CARELESS and dice.chance(0.15):
        turns = [(role, text.lower() if role == "user" else text) for role, text in turns]
    while dice.chance(0.22) and turns[0][0] != "system" and sum(len(t) for _, t in turns) < 900:
        more = one(dice)
        if more.turns[0][0] == "system" or more.category == "memory":
            break
        turns = turns + more.turns
    if turns[0][0] != "system" and dice.chance(0.12):
        turns = [("system", dice.pick(COMMON_SYSTEM))] + turns
    return Talk(talk.category, turns)


def long_conversation(dice, size):
    """Many matters after one another, about size characters long."""
    turns = []
    while sum(len(t) for _, t in turns) < size:
        more = one(dice)
        if more.turns[0][0] != "system" and more.category != "memory":
            turns += more.turns
    return Talk("long", turns)


def plain(dice):
    """Text without any conversation around it, for completion requests."""
    return stories.story(dice)[0] if dice.chance(0.8) else poems.poem(dice, dice.pick(poems.SUBJECTS))
