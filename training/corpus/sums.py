"""Small sums, comparisons and word problems with right answers."""

from .dice import Talk
from .words import FOODS, NAMES, NUMBERS


def problem(dice):
    """Returns (a, sign, b, result), held out by the pair of numbers."""
    kind = dice.pick("++++++--*")
    def make():
        if kind == "*":
            return ("*", dice.number(0, 10), dice.number(0, 10))
        top = dice.pick([10, 10, 20, 20, 20, 50] if dice.stage == "second" else [10, 10, 20, 20, 50, 99])
        a, b = dice.number(0, top), dice.number(0, top)
        return (kind, max(a, b), min(a, b)) if kind == "-" else (kind, a, b)
    sign, a, b = dice.draw(make)
    return a, sign, b, {"+": a + b, "-": a - b, "*": a * b}[sign]


WORDS = {"+": ["plus", "and", "added to"], "-": ["minus", "less", "take away"], "*": ["times", "multiplied by"]}


def direct(dice):
    a, sign, b, result = problem(dice)
    question = dice.pick([f"What is {a} {sign} {b}?", f"What is {a} {sign} {b}?", f"{a} {sign} {b}", f"{a}{sign}{b}", f"{a} {sign} {b} =",
                          f"How much is {a} {sign} {b}?", f"Calculate {a} {sign} {b}.", f"{a}{sign}{b}=?", f"What's {a}{sign}{b}?",
                          f"What is {a} {dice.pick(WORDS[sign])} {b}?", f"How much is {a} {dice.pick(WORDS[sign])} {b}?"])
    turns = [("user", question), ("assistant", f"{a} {sign} {b} = {result}.")]
    if dice.chance(0.3):
        more = dice.number(1, 10)
        turns += [("user", dice.pick([f"And plus {more}?", f"Add {more} to that.", f"Plus {more}?", f"Now add {more}."])),
                  ("assistant", f"{result} + {more} = {result + more}.")]
    elif dice.chance(0.3):
        a, sign, b, result = problem(dice)
        turns += [("user", dice.pick([f"And {a} {sign} {b}?", f"What about {a} {sign} {b}?"])), ("assistant", f"{a} {sign} {b} = {result}.")]
    return Talk("sum", turns)


def compare(dice):
    a, b = dice.draw(lambda: (dice.number(0, 99), dice.number(0, 99)))
    if a == b:
        b += 1
    if dice.chance(0.5):
        return Talk("compare", [("user", dice.pick([f"Which is larger, {a} or {b}?", f"Which is bigger: {a} or {b}?", f"Is {a} larger than {b}?"])),
                                ("assistant", f"{max(a, b)} is larger than {min(a, b)}.")])
    if dice.chance(0.5):
        return Talk("compare", [("user", dice.pick([f"Which is smaller, {a} or {b}?", f"Is {a} smaller than {b}?"])),
                                ("assistant", f"{min(a, b)} is smaller than {max(a, b)}.")])
    even = "even" if a % 2 == 0 else "odd"
    return Talk("compare", [("user", dice.pick([f"Is {a} even?", f"Is {a} odd?", f"Is {a} even or odd?"])), ("assistant", f"{a} is {even}.")])


def word_problem(dice):
    n, food = dice.draw(lambda: (dice.pick(NAMES), dice.pick(FOODS)))
    a, b = dice.number(2, 20), dice.number(1, 12)
    if dice.chance(0.5):
        given = dice.pick([f"{n} has {a} {food} and gets {b} more.", f"{n} has {a} {food}. {n} finds {b} more."])
        left = a + b
    else:
        a += b
        given = dice.pick([f"{n} has {a} {food} and eats {b}.", f"{n} has {a} {food}. {n} gives away {b}."])
        left = a - b
    return Talk("word problem", [("user", f"{given} How many {food} does {n} have{dice.pick([' now', ''])}?"),
                                 ("assistant", f"{n} has {left} {food}.")])


def count(dice):
    n = dice.number(2, 20)
    if dice.chance(0.5):
        return Talk("count", [("user", dice.pick([f"Count to {NUMBERS[n]}.", f"Count from one to {NUMBERS[n]}."])),
                              ("assistant", ", ".join(NUMBERS[1:n + 1]) + ".")])
    start = dice.number(1, 60)
    end = start + dice.number(3, 10)
    return Talk("count", [("user", dice.pick([f"Count from {start} to {end}.", f"List the numbers from {start} to {end}."])),
                          ("assistant", ", ".join(str(i) for i in range(start, end + 1)) + ".")])


def talk(dice):
    return dice.random.choices([direct, compare, word_problem, count], [70, 12, 12, 6])[0](dice)
