"""Four-line poems of rhyming couplets."""

from .dice import Talk
from .words import ANIMALS, THINGS, article, capital

SUBJECTS = ANIMALS + THINGS + ["sun", "moon", "rain", "sea", "star", "wind", "tree", "flower", "night", "winter",
                               "summer", "spring", "river", "mountain", "friend", "cloud"]


def poem(dice, x):
    couplets = [
        (f"The {x} is near, the night is long,", "the wind is singing us a song."),
        (f"I saw the {x} in morning light,", "it made the whole wide valley bright."),
        (f"O {x}, so quiet and so small,", "you are the dearest of them all."),
        ("The stars look down, the rivers run,", f"the {x} is dreaming of the sun."),
        (f"Come, little {x}, stay with me,", "and we will sail across the sea."),
        ("The rain may fall, the snow may stay,", f"the {x} will guide us on our way."),
        (f"A {x} was waiting by the door,", "and now I am alone no more."),
        ("When day is done and birds are still,", f"I see the {x} upon the hill."),
        (f"I gave the {x} a word to keep,", "it hummed it softly in its sleep."),
        ("The road is dark, the road is wide,", f"the {x} is walking at my side."),
    ]
    one, two = dice.some(couplets, 2)
    return "\n".join(one + two).replace("A a", "An a").replace("A e", "An e").replace("A u", "An u").replace("A o", "An o")


def talk(dice):
    x = dice.draw(lambda: dice.pick(SUBJECTS))
    kind = dice.pick(["poem", "poem", "short poem", "rhyme", "little poem"])
    question = dice.pick([f"Write a {kind} about {article(x)}.", f"Write a {kind} about the {x}.",
                          f"A {kind} about the {x}, please.", f"Give me a {kind} about {article(x)}.",
                          f"Can you write a {kind} about the {x}?", f"{capital(kind)} about the {x}", f"I want a {kind} about {article(x)}."])
    turns = [("user", question), ("assistant", poem(dice, x))]
    if dice.chance(0.25):
        y = dice.pick(SUBJECTS)
        turns += [("user", dice.pick([f"Now about the {y}.", f"And one about {article(y)}.", f"And about the {y}?"])), ("assistant", poem(dice, y))]
    elif dice.chance(0.1):
        turns += [("user", dice.pick(["Another one.", "One more.", "Again, please."])), ("assistant", poem(dice, x))]
    return Talk("poem", turns)
