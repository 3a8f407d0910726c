"""Tasks whose answer stands in the conversation: who has what, repeat, list, names, secrets."""

from .dice import Talk
from .words import ANIMALS, CITIES, COLOURS, FOODS, LIKES, NAMES, NUMBERS, PEOPLE, THINGS, article, capital, invented


def who_has(dice):
    names = dice.draw(lambda: tuple(dice.some(NAMES, 3)))
    things, colours = dice.some(THINGS, 3), dice.some(COLOURS, 3)
    told = " ".join(f"{n} has {article(c + ' ' + t)}." for n, c, t in zip(names, colours, things))
    i = dice.number(0, 2)
    question, answer = dice.pick([
        (f"Who has the {things[i]}?", f"{names[i]} has the {things[i]}."),
        (f"What does {names[i]} have?", f"{names[i]} has {article(colours[i] + ' ' + things[i])}."),
        (f"What colour is the {things[i]}?", f"The {things[i]} is {colours[i]}."),
        (f"Which thing is {colours[i]}?", f"The {things[i]} is {colours[i]}.")])
    return [("user", f"{told} {question}"), ("assistant", answer)]


def lives(dice):
    names = dice.draw(lambda: tuple(dice.some(NAMES, 2)))
    jobs, cities = dice.some(PEOPLE, 2), dice.some(CITIES, 2)
    told = " ".join(f"{n} is {article(j)} and lives in {c}." for n, j, c in zip(names, jobs, cities))
    i = dice.number(0, 1)
    question, answer = dice.pick([
        (f"Where does {names[i]} live?", f"{names[i]} lives in {cities[i]}."),
        (f"Who lives in {cities[i]}?", f"{names[i]} lives in {cities[i]}."),
        (f"What is {names[i]}?", f"{names[i]} is {article(jobs[i])}."),
        (f"Who is the {jobs[i]}?", f"{names[i]} is the {jobs[i]}.")])
    return [("user", f"{told} {question}"), ("assistant", answer)]


def repeat(dice):
    pool = ANIMALS + THINGS + COLOURS + FOODS + NAMES
    words = dice.draw(lambda: tuple(invented(dice) if dice.chance(0.3) else dice.pick(pool) for _ in range(dice.number(1, 5))))
    text = " ".join(words)
    if len(words) == 1 and dice.chance(0.5):
        n = dice.number(2, 4)
        return [("user", dice.pick([f"Say {text} {NUMBERS[n]} times.", f"Write {text} {NUMBERS[n]} times."])), ("assistant", " ".join([text] * n))]
    return [("user", dice.pick([f"Repeat after me: {text}", f"Say: {text}", f"Repeat: {text}", f'Say "{text}".', f"Echo {text}"])), ("assistant", text)]


def listing(dice):
    word, pool = dice.pick([("animals", ANIMALS), ("colours", COLOURS), ("names", NAMES), ("cities", CITIES), ("things", THINGS), ("foods", FOODS)])
    n = dice.number(2, 5)
    verb = dice.pick(["List", "Name", "Give me", "Tell me"])
    return [("user", f"{verb} {dice.pick([NUMBERS[n], str(n)])} {word}."), ("assistant", ", ".join(dice.some(pool, n)) + ".")]


def choose(dice):
    group = dice.pick([ANIMALS, COLOURS, THINGS, FOODS])
    words = dice.draw(lambda: tuple(dice.some(group, dice.number(3, 5))))
    said = ", ".join(words)
    question, answer = dice.pick([("Which is the first?", words[0]), ("Which is the last?", words[-1]), ("Which is the second?", words[1]),
                                  ("How many words are these?", NUMBERS[len(words)])])
    return [("user", f"{said}. {question}"), ("assistant", capital(answer) + ".")]


def talk(dice):
    make = dice.random.choices([who_has, lives, repeat, listing, choose], [30, 22, 26, 12, 10])[0]
    return Talk("list" if make is listing else "reading", make(dice))


def likes(dice):
    return dice.pick(LIKES)
