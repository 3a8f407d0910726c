"""Simple facts: capitals, opposites, sounds, days, translations and the like."""

from .dice import Talk
from .words import ANIMALS, COLOURS, NUMBERS, THINGS, article, capital

CAPITALS = dict(
    France="Paris", Germany="Berlin", Italy="Rome", Spain="Madrid", Portugal="Lisbon", Austria="Vienna", Switzerland="Bern",
    Poland="Warsaw", Sweden="Stockholm", Norway="Oslo", Denmark="Copenhagen", Finland="Helsinki", Greece="Athens",
    Ireland="Dublin", England="London", Russia="Moscow", China="Beijing", Japan="Tokyo", India="New Delhi", Egypt="Cairo",
    Kenya="Nairobi", Canada="Ottawa", Mexico="Mexico City", Brazil="Brasilia", Peru="Lima", Chile="Santiago", Cuba="Havana",
    Turkey="Ankara", Iran="Tehran", Vietnam="Hanoi", Australia="Canberra", Hungary="Budapest", Belgium="Brussels",
    Ukraine="Kyiv", Argentina="Buenos Aires", Thailand="Bangkok", Netherlands="Amsterdam", Scotland="Edinburgh",
    Iceland="Reykjavik", Romania="Bucharest", Bulgaria="Sofia", Serbia="Belgrade", Croatia="Zagreb", Estonia="Tallinn",
    Latvia="Riga", Lithuania="Vilnius", Colombia="Bogota", Nigeria="Abuja", Ghana="Accra", Ethiopia="Addis Ababa",
    Indonesia="Jakarta", Philippines="Manila", Pakistan="Islamabad", Nepal="Kathmandu", Iraq="Baghdad")
CAPITALS["South Korea"] = "Seoul"
CAPITALS["the United States"] = "Washington"
CAPITALS["New Zealand"] = "Wellington"
CONTINENT = {c: "Europe" for c in "France Germany Italy Spain Portugal Austria Poland Sweden Norway Finland Greece Ireland".split()}
CONTINENT |= {c: "Asia" for c in "China Japan India Vietnam Thailand Nepal".split()}
CONTINENT |= {c: "Africa" for c in "Egypt Kenya Nigeria Ghana Ethiopia".split()}
CONTINENT |= {c: "South America" for c in "Brazil Peru Chile Argentina Colombia".split()}
CONTINENT |= {c: "North America" for c in ["Canada", "Mexico", "the United States"]}
LANGUAGE = dict(France="French", Germany="German", Italy="Italian", Spain="Spanish", Portugal="Portuguese", Poland="Polish",
                Sweden="Swedish", Norway="Norwegian", Denmark="Danish", Finland="Finnish", Greece="Greek", Russia="Russian",
                China="Chinese", Japan="Japanese", Mexico="Spanish", Brazil="Portuguese", Turkey="Turkish", England="English")
OPPOSITES = dict(hot="cold", big="small", fast="slow", light="dark", happy="sad", young="old", up="down", early="late",
                 full="empty", hard="soft", high="low", long="short", new="old", open="closed", rich="poor", strong="weak",
                 wet="dry", loud="quiet", near="far", clean="dirty", true="false", left="right", day="night", first="last",
                 love="hate", buy="sell", thick="thin", heavy="light", win="lose", start="stop", cheap="expensive",
                 brave="afraid", deep="shallow", wide="narrow", inside="outside", push="pull", give="take", right="wrong")
OPPOSITES.update({b: a for a, b in list(OPPOSITES.items()) if b not in OPPOSITES and list(OPPOSITES.values()).count(b) == 1})
SOUNDS = dict(cat="meow", dog="woof", cow="moo", duck="quack", sheep="baa", horse="neigh", frog="ribbit", owl="hoot", pig="oink",
              lion="roar", mouse="squeak", hen="cluck", bee="buzz", crow="caw", wolf="howl", goose="honk")
BABIES = dict(cat="kitten", dog="puppy", cow="calf", duck="duckling", sheep="lamb", horse="foal", goat="kid", bear="cub", lion="cub",
              hen="chick", pig="piglet", deer="fawn", goose="gosling", frog="tadpole", swan="cygnet", kangaroo="joey")
COLOUR_OF = {"grass": "green", "snow": "white", "blood": "red", "coal": "black", "gold": "yellow", "chocolate": "brown", "the sky": "blue",
             "the sun": "yellow", "an orange": "orange", "a leaf": "green", "a lemon": "yellow", "milk": "white", "a tomato": "red",
             "the night": "black", "the sea": "blue", "a frog": "green", "a raven": "black"}
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()
SEASONS = "spring summer autumn winter".split()
PLANETS = "Mercury Venus Earth Mars Jupiter Saturn Uranus Neptune".split()
LEGS = dict(spider=8, ant=6, bee=6, dog=4, cat=4, horse=4, hen=2, duck=2, snake=0, fish=0, frog=4, owl=2)
TRANSLATIONS = {
    "French": dict(dog="chien", cat="chat", house="maison", water="eau", bread="pain", sun="soleil", moon="lune", tree="arbre",
                   red="rouge", yes="oui", no="non", hello="bonjour", book="livre", friend="ami", night="nuit"),
    "German": dict(dog="Hund", cat="Katze", house="Haus", water="Wasser", bread="Brot", sun="Sonne", moon="Mond", tree="Baum",
                   red="rot", yes="ja", no="nein", hello="hallo", book="Buch", friend="Freund", night="Nacht"),
    "Spanish": dict(dog="perro", cat="gato", house="casa", water="agua", bread="pan", sun="sol", moon="luna", tree="arbol",
                    red="rojo", yes="si", no="no", hello="hola", book="libro", friend="amigo", night="noche"),
    "Italian": dict(dog="cane", cat="gatto", house="casa", water="acqua", bread="pane", sun="sole", moon="luna", tree="albero",
                    red="rosso", yes="si", no="no", hello="ciao", book="libro", friend="amico", night="notte")}
FIXED = [
    ("How many days are in a week?|How many days does a week have?", "A week has seven days."),
    ("How many months are in a year?|How many months does a year have?", "A year has twelve months."),
    ("How many days are in a year?|How long is a year?", "A year has 365 days, and a leap year 366."),
    ("How many hours are in a day?|How many hours does a day have?", "A day has 24 hours."),
    ("How many minutes are in an hour?|How long is an hour?", "An hour has 60 minutes."),
    ("How many seconds are in a minute?|How long is a minute?", "A minute has 60 seconds."),
    ("How many planets are there?|How many planets go around the sun?", "Eight planets go around the sun."),
    ("Which planet is the largest?|What is the largest planet?", "Jupiter is the largest planet."),
    ("Which planet do we live on?|Where do people live?", "We live on Earth."),
    ("What is the largest ocean?|Which ocean is the largest?", "The Pacific is the largest ocean."),
    ("What is the highest mountain?|Which mountain is the highest?", "Mount Everest is the highest mountain."),
    ("What is the largest animal?|Which animal is the largest?", "The blue whale is the largest animal."),
    ("At what temperature does water boil?|When does water boil?", "Water boils at 100 degrees Celsius."),
    ("At what temperature does water freeze?|When does water freeze?", "Water freezes at 0 degrees Celsius."),
    ("What is ice?|What is ice made of?", "Ice is frozen water."),
    ("What do bees make?|What does a bee make?", "Bees make honey."),
    ("What do cows give?|What does a cow give?", "Cows give milk."),
    ("Where does the sun rise?|Where does the sun come up?", "The sun rises in the east."),
    ("Where does the sun set?|Where does the sun go down?", "The sun sets in the west."),
    ("How many letters are in the alphabet?|How many letters does the alphabet have?", "The English alphabet has 26 letters."),
    ("How many sides does a triangle have?|What is a triangle?", "A triangle has three sides."),
    ("How many sides does a square have?|What is a square?", "A square has four equal sides."),
    ("What colours make green?|How do I mix green?", "Blue and yellow make green."),
    ("What colours make orange?|How do I mix orange?", "Red and yellow make orange."),
    ("What colours make purple?|How do I mix purple?", "Red and blue make purple."),
    ("Who wrote Hamlet?|Who wrote Romeo and Juliet?", "William Shakespeare wrote it."),
    ("What is the chemical formula of water?|What is H2O?", "Water is H2O: two hydrogen atoms and one oxygen atom."),
    ("What is the alphabet?|Say the alphabet.", "a b c d e f g h i j k l m n o p q r s t u v w x y z"),
    ("Name the seasons.|What are the four seasons?", "Spring, summer, autumn and winter."),
    ("Name the days of the week.|What are the days of the week?", "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday."),
]
SPELL = ANIMALS + THINGS + COLOURS + ["house", "tree", "water", "bread", "friend", "table", "chair", "window"]


def capitals(dice):
    n = dice.pick(list(CAPITALS))
    turns = [("user", dice.pick([f"What is the capital of {n}?", f"What is the capital of {n}?", f"Which city is the capital of {n}?", f"Capital of {n}?",
                                 f"What's the capital of {n}?", f"Tell me the capital of {n}.", f"Do you know the capital of {n}?", f"{capital(n)}'s capital?"])),
             ("assistant", f"The capital of {n} is {CAPITALS[n]}.")]
    if dice.chance(0.4):
        n = dice.pick(list(CAPITALS))
        turns += [("user", dice.pick([f"And of {n}?", f"And {n}?", f"What about {n}?"])), ("assistant", f"The capital of {n} is {CAPITALS[n]}.")]
    return turns


def which_country(dice):
    n = dice.pick(list(CAPITALS))
    return [("user", dice.pick([f"Which country has the capital {CAPITALS[n]}?", f"{CAPITALS[n]} is the capital of which country?", f"Where is {CAPITALS[n]}?"])),
            ("assistant", f"{CAPITALS[n]} is the capital of {n}.")]


def place(dice):
    if dice.chance(0.5):
        n = dice.pick(list(CONTINENT))
        return [("user", dice.pick([f"On which continent is {n}?", f"Where is {n}?", f"Which continent is {n} on?"])), ("assistant", f"{capital(n)} is in {CONTINENT[n]}.")]
    n = dice.pick(list(LANGUAGE))
    return [("user", dice.pick([f"Which language is spoken in {n}?", f"What do people speak in {n}?"])), ("assistant", f"People in {n} speak {LANGUAGE[n]}.")]


def opposite(dice):
    n = dice.pick(list(OPPOSITES))
    turns = [("user", dice.pick([f"What is the opposite of {n}?", f"Opposite of {n}?", f"Tell me the opposite of {n}.", f"What is the opposite of \"{n}\"?"])),
             ("assistant", f"The opposite of {n} is {OPPOSITES[n]}.")]
    if dice.chance(0.3):
        n = dice.pick(list(OPPOSITES))
        turns += [("user", dice.pick([f"And of {n}?", f"And {n}?", f"What about {n}?"])), ("assistant", f"The opposite of {n} is {OPPOSITES[n]}.")]
    return turns


def animal(dice):
    kind = dice.number(0, 2)
    if kind == 0:
        n = dice.pick(list(SOUNDS))
        return [("user", dice.pick([f"What does {article(n)} say?", f"What sound does {article(n)} make?", f"What does the {n} say?"])),
                ("assistant", f"{capital(article(n))} says {SOUNDS[n]}.")]
    if kind == 1:
        n = dice.pick(list(BABIES))
        return [("user", dice.pick([f"What is a baby {n} called?", f"What is a young {n} called?"])), ("assistant", f"A young {n} is called a {BABIES[n]}.")]
    n = dice.pick(list(LEGS))
    return [("user", dice.pick([f"How many legs does {article(n)} have?", f"How many legs has {article(n)}?"])),
            ("assistant", f"{capital(article(n))} has {'no' if LEGS[n] == 0 else NUMBERS[LEGS[n]]} legs.")]


def colour(dice):
    n = dice.pick(list(COLOUR_OF))
    return [("user", dice.pick([f"What colour is {n}?", f"What color is {n}?", f"Which colour has {n}?"])), ("assistant", f"{capital(n)} is {COLOUR_OF[n]}.")]


def order(dice):
    names, word = dice.pick([(DAYS, "day"), (MONTHS, "month"), (SEASONS, "season")])
    i = dice.number(0, len(names) - 1)
    after, before = names[(i + 1) % len(names)], names[i - 1]
    return dice.pick([[("user", dice.pick([f"Which {word} comes after {names[i]}?", f"What comes after {names[i]}?", f"What {word} follows {names[i]}?"])),
                       ("assistant", f"{capital(after)} comes after {names[i]}.")],
                      [("user", dice.pick([f"Which {word} comes before {names[i]}?", f"What comes before {names[i]}?"])), ("assistant", f"{capital(before)} comes before {names[i]}.")]])


def translate(dice):
    language = dice.pick(list(TRANSLATIONS))
    word = dice.pick(list(TRANSLATIONS[language]))
    return [("user", dice.pick([f"What is \"{word}\" in {language}?", f"What is {word} in {language}?", f"Translate {word} into {language}.",
                                f"How do you say {word} in {language}?", f"{capital(word)} in {language}?"])),
            ("assistant", f"In {language}, {word} is {TRANSLATIONS[language][word]}.")]


def spell(dice):
    word = dice.pick(SPELL)
    return [("user", dice.pick([f"Spell {word}.", f"How do you spell {word}?", f"Spell the word {word}."])), ("assistant", "-".join(word.upper()))]


def fixed(dice):
    questions, answer = dice.pick(FIXED)
    return [("user", dice.pick(questions.split("|"))), ("assistant", answer)]


def talk(dice):
    make = dice.random.choices([capitals, which_country, place, opposite, animal, colour, order, translate, spell, fixed],
                               [26, 7, 7, 14, 10, 5, 8, 10, 7, 16])[0]
    return Talk("fact", make(dice))
