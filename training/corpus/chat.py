"""Greetings, thanks, names, and questions about the conversation itself."""

from .aitbc import I_AM, WHO
from .dice import Talk
from .facts import CAPITALS
from .words import ANIMALS, COLOURS, LIKES, NAMES, PEOPLE, THINGS, capital, invented

HELLO = ["Hello", "Hello!", "Hi", "Hi!", "Hey", "Good morning", "Good evening", "Hi there", "Hello there!", "Good day", "Greetings", "hi", "hello", "yo"]
GREETING = "Hello! Ask me for a story, a poem, a simple fact, a small sum, or about AITBC."
THANKS = ["Thanks", "Thank you", "Thank you!", "Great, thanks", "Thanks a lot!", "Thank you very much.", "Nice, thank you.", "thx", "Perfect, thanks!"]
WELCOME = "You are welcome."
BYE = ["Bye", "Goodbye", "Bye!", "See you", "Good night", "See you later", "Goodbye!"]
FIXED = [(HELLO, GREETING), (THANKS, WELCOME), (BYE, "Goodbye!"),
         (["How are you?", "How are you doing?", "How is it going?", "Are you well?"], "I am a program, and I run well. What can I do for you?"),
         (["OK", "Ok.", "I see.", "Good.", "Nice.", "Great!", "Cool"], "Good. Ask me anything else."),
         (["Yes", "Yes.", "Sure", "No", "No."], "Ask me for a story, a poem, a simple fact, a small sum, or about AITBC."),
         (["Tell me a joke.", "Tell me a joke", "Do you know a joke?", "Make me laugh."], "Why did the block never get lost? It always knew its parent."),
         (["I love you.", "You are great.", "You are clever.", "Good job!", "Well done!"], "Thank you. That is kind."),
         (["You are stupid.", "That is wrong.", "This is bad.", "You are wrong.", "I don't like you."], "I am sorry. I am very small and can be wrong."),
         (["Are you happy?", "Do you have feelings?", "Do you sleep?", "Are you alive?", "Can you feel pain?"], "I am a program. I have no feelings.")]


def name_for(dice):
    return dice.draw(lambda: dice.pick(NAMES) if dice.chance(0.6) else capital(invented(dice)))


def filler(dice):
    """A turn in between, so that what was told stands further back."""
    if dice.chance(0.5):
        n = dice.pick(list(CAPITALS))
        return [("user", f"What is the capital of {n}?"), ("assistant", f"The capital of {n} is {CAPITALS[n]}.")]
    a, b = dice.number(0, 9), dice.number(0, 9)
    return [("user", f"What is {a} + {b}?"), ("assistant", f"{a} + {b} = {a + b}.")]


def told_name(dice):
    n = name_for(dice)
    turns = [("user", dice.pick([f"My name is {n}.", f"I am {n}.", f"Hello, I am {n}.", f"Call me {n}.", f"Hi, my name is {n}!", f"I'm {n}."])),
             ("assistant", f"Nice to meet you, {n}.")]
    for _ in range(dice.number(0, 2)):
        turns += filler(dice)
    if dice.chance(0.85):
        turns += [("user", dice.pick(["What is my name?", "Who am I?", "Do you remember my name?", "What's my name?", "How am I called?"])), ("assistant", f"Your name is {n}.")]
    return turns


def told_like(dice):
    x = dice.draw(lambda: (dice.pick(LIKES + ANIMALS), dice.pick(["like", "love"])))
    turns = [("user", f"I {x[1]} {x[0]}."), ("assistant", f"How nice that you {x[1]} {x[0]}.")]
    for _ in range(dice.number(0, 1)):
        turns += filler(dice)
    return turns + [("user", dice.pick([f"What do I {x[1]}?", f"Do you remember what I {x[1]}?"])), ("assistant", f"You {x[1]} {x[0]}.")]


def told_thing(dice):
    kind, pool = dice.pick([("favourite colour", COLOURS), ("favourite animal", ANIMALS), ("secret word", THINGS), ("job", PEOPLE), ("code", None), ("age", None)])
    value = str(dice.draw(lambda: dice.number(10, 999))) if pool is None else dice.draw(lambda: dice.pick(pool))
    turns = [("user", dice.pick([f"My {kind} is {value}.", f"Remember: my {kind} is {value}."])), ("assistant", f"I will remember: your {kind} is {value}.")]
    for _ in range(dice.number(0, 2)):
        turns += filler(dice)
    return turns + [("user", dice.pick([f"What is my {kind}?", f"Do you remember my {kind}?", f"Tell me my {kind}."])), ("assistant", f"Your {kind} is {value}.")]


def not_told(dice):
    kind = dice.pick(["name", "favourite colour", "favourite animal", "secret word", "job", "age"])
    turns = filler(dice) if dice.chance(0.5) else []
    return turns + [("user", dice.pick([f"What is my {kind}?", f"Do you remember my {kind}?"])), ("assistant", f"You have not told me your {kind}.")]


def asked(dice):
    turns = filler(dice) if dice.chance(0.7) else [("user", dice.pick(["Who are you?", "What is AITBC?"]))]
    if len(turns) == 1:
        turns = [("user", "Who are you?"), ("assistant", I_AM)]
    question, answer = turns[0][1], turns[1][1]
    return turns + dice.pick([
        [("user", dice.pick(["What did I ask?", "What was my question?", "What did I ask you?", "What did I just ask?"])), ("assistant", f'You asked: "{question}"')],
        [("user", dice.pick(["Say that again.", "Repeat that.", "Again?", "What did you say?", "Pardon?"])), ("assistant", answer)]])


def persona(dice):
    n = name_for(dice)
    job = dice.pick(["assistant", "helper", "guide", "friend"])
    system = ("system", dice.pick([f"You are {n}, a helpful {job}.", f"Your name is {n}.", f"You are {n}."]))
    if dice.chance(0.75):
        return [system, ("user", dice.pick(["Who are you?", "What is your name?", "What are you called?", "Introduce yourself."])), ("assistant", f"I am {n}.")]
    return [system] + filler(dice)


def one_word(dice):
    system = ("system", dice.pick(["Answer in one word.", "Answer with one word only.", "Use one word."]))
    n = dice.pick(list(CAPITALS))
    a, b = dice.number(0, 20), dice.number(0, 20)
    return [system] + dice.pick([[("user", f"What is the capital of {n}?"), ("assistant", CAPITALS[n])], [("user", f"What is {a} + {b}?"), ("assistant", str(a + b))]])


def system_knows(dice):
    n = name_for(dice)
    kind, value = dice.pick([("name", n), ("city", dice.pick(["Rome", "Paris", "Berlin", "Oslo", "Lima"])), ("password", invented(dice)), ("secret word", dice.pick(THINGS))])
    return [("system", dice.pick([f"The {kind} is {value}.", f"Know that the {kind} is {value}.", f"You are a helpful assistant. The {kind} is {value}."])),
            ("user", dice.pick([f"What is the {kind}?", f"Tell me the {kind}."])), ("assistant", f"The {kind} is {value}.")]


def talk(dice):
    makers = [(told_name, 26), (told_like, 8), (told_thing, 18), (not_told, 8), (asked, 14), (persona, 10), (one_word, 6), (system_knows, 10)]
    if dice.chance(0.3):
        asks, answer = dice.pick(FIXED)
        return Talk("small talk", [("user", dice.pick(asks)), ("assistant", answer)])
    make = dice.random.choices([m for m, _ in makers], [w for _, w in makers])[0]
    return Talk("memory", make(dice))
