"""Stories with one hero, one helper, one thing, and names that stay the same."""

from .dice import Talk
from .words import ADJECTIVES, ANIMALS, HE, NAMES, PEOPLE, PLACES, THING_ADJECTIVES, THINGS, article, capital

HEROES = ANIMALS + PEOPLE
WEATHER = ["the sun was warm", "rain was falling", "snow lay on the ground", "the wind was strong",
           "the moon was bright", "fog covered everything", "the sky was clear"]


def story(dice, hero=None, name=None, place=None, thing=None):
    """Returns (text, facts); facts name who and what the story is about."""
    pick = dice.pick
    h, n = hero or pick(HEROES), name or pick(NAMES)
    p, t = place or pick(PLACES), thing or pick(THINGS)
    h2, n2 = pick([x for x in HEROES if x != h]), pick([x for x in NAMES if x != n])
    he, him, his = ("he", "him", "his") if n in HE else ("she", "her", "her")
    a, ta = pick(ADJECTIVES), pick(THING_ADJECTIVES)
    opening = pick([
        f"Once upon a time, {article(a + ' ' + h)} named {n} lived near {article(p)}.",
        f"There was once {article(a + ' ' + h)} called {n}, who lived near {article(p)}.",
        f"Long ago, near {article(p)}, there lived {article(a + ' ' + h)} named {n}."])
    find = pick([
        f"One day, when {pick(WEATHER)}, {n} found {article(ta + ' ' + t)}.",
        f"One morning, when {pick(WEATHER)}, {n} saw {article(ta + ' ' + t)} on the path.",
        f"One night {n} heard a sound and discovered {article(ta + ' ' + t)}."])
    helper = f"{article(h2)} named {n2}"
    middle, ends = pick([
        (f'"Whose {t} is this?" {he} asked. {n} walked all day to find the owner. At last {he} met {helper}, who was '
         f'crying. "That is my {t}!" said {n2}. {n} gave it back.',
         [f"{n2} was so glad that they became friends.", f"From that day on {n} and {n2} shared everything."]),
        (f'But {n} was hungry, and there was nothing to eat. Then {helper} came by with bread. "I will give you bread '
         f'for your {t}," said {n2}. {n} thought about it and said yes.',
         ["They ate together, and both were happy.", "That evening they told each other old stories."]),
        (f'{capital(he)} wanted to keep the {t}, but it did not belong to {him}. {n} asked {helper} what to do. '
         f'"Tell the truth," said {n2}. So {n} went home and told everyone.',
         [f"Everyone thanked {n}, and {he} felt light and free.", f"The people smiled and let {n} keep the {t} after all."]),
        (f'The {t} was magic. When {n} touched it, {helper} appeared. "You may have one wish," said {n2}. {n} did not '
         f"wish for gold. {capital(he)} wished that nobody near the {p} would be lonely.",
         ["And so it was.", f"The next day {his} home was full of friends."]),
        (f"Suddenly a storm came, and {n} was lost. {capital(he)} held the {t} close and was afraid. Far away {he} saw a "
         f'light. It was the house of {helper}. "Come in," said {n2}, "and get warm."',
         [f"When the storm was over, {n2} showed {n} the way home.", f"{n} never forgot how kind {n2} had been."]),
        (f'The {t} did not work any more. {n} tried to mend it, but it was too hard to do alone. Then {helper} said, "Let '
         f'me hold it while you work." Together they mended the {t}.',
         ["Two can do what one cannot.", f"{n} and {n2} mended many things after that."])])
    close = pick(["", " The end.", " And they lived happily ever after."])
    text = f"{opening} {find} {middle} {pick(ends)}{close}"
    return text, {"hero": h, "name": n, "place": p, "thing": t, "helper": n2, "helper_kind": h2}


def ask(dice):
    """Returns (question, what it fixes)."""
    hero, thing = dice.draw(lambda: (dice.pick(HEROES), dice.pick(THINGS)))
    place, name = dice.pick(PLACES), dice.pick(NAMES)
    kind = dice.pick(["a story", "a short story", "a little story"])
    verb = dice.pick(["Tell me", "Write", "Write me", "I would like", "Please tell me", "Make up"])
    return dice.pick([
        (f"{verb} {kind} about {article(hero)}.", {"hero": hero}),
        (f"{verb} {kind} about {article(hero)}.", {"hero": hero}),
        (f"{capital(kind)} about {article(hero)}, please.", {"hero": hero}),
        (f"{verb} {kind} about {article(thing)}.", {"thing": thing}),
        (f"{verb} {kind} set near {article(place)}.", {"place": place}),
        (f"{verb} {kind} about {article(hero)} and {article(thing)}.", {"hero": hero, "thing": thing}),
        (f"{verb} {kind} about {article(hero)} who finds {article(thing)}.", {"hero": hero, "thing": thing}),
        (f"{verb} {kind} about {article(hero)} named {name}.", {"hero": hero, "name": name}),
        (f"{verb} {kind} about {article(hero)} called {name}.", {"hero": hero, "name": name}),
        (f"{verb} {kind} about {name}.", {"name": name}),
        (f"{verb} {kind}.", {}),
        ("Once upon a time", {}),
    ])


AGAIN = ["Another one.", "Another story!", "Tell me another one.", "One more, please.", "Again!", "And another?",
         "Can you tell me another one?"]


def talk(dice):
    question, fixed = ask(dice)
    text, facts = story(dice, **fixed)
    turns = [("user", question), ("assistant", text)]
    if dice.chance(0.35):
        name, hero, helper = facts["name"], facts["hero"], facts["helper"]
        question, answer = dice.pick([
            (dice.pick([f"What was the name of the {hero}?", f"What is the {hero} called?", "Who was the hero?",
                        f"What was the {hero}'s name?"]), f"The {hero} was called {name}."),
            (dice.pick([f"Who met {name}?", f"Whom did {name} meet?", f"Who helped {name}?"]), f"{name} met {helper}."),
            (dice.pick([f"What did {name} find?", "What was found?"]), f"{name} found {article(facts['thing'])}."),
            (dice.pick([f"Where did {name} live?", "Where does the story happen?"]), f"{name} lived near {article(facts['place'])}."),
            (dice.pick(["What was the story about?", "What is the story about?"]),
             f"It is about {article(hero)} named {name} and {article(facts['thing'])}."),
        ])
        return Talk("story question", turns + [("user", question), ("assistant", answer)])
    if dice.chance(0.12):
        turns += [("user", dice.pick(AGAIN)), ("assistant", story(dice)[0])]
    return Talk("story", turns)
