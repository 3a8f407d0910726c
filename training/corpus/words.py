"""The words of the little world."""

ANIMALS = """fox bear rabbit owl mouse wolf deer badger hedgehog squirrel frog turtle duck goose cat dog horse sheep
goat pig cow hen lion tiger elephant monkey whale dolphin penguin crow dragon bee ant snail swan seal otter beaver
mole lizard parrot camel zebra giraffe kangaroo""".split()
PEOPLE = """robot girl boy king queen sailor baker farmer painter doctor teacher gardener miner wizard knight pilot
princess prince tailor fisherman shepherd singer dancer clockmaker librarian cook giant pirate astronaut""".split()
SHE = """Ada Clara Eva Hana June Lila Nora Pia Rosa Tara Uma Wren Yara Zoe Anna Bella Daisy Emma Fay Grace Holly Iris
Julia Kate Lucy Mia Nina Olive Paula Ruth Sara Tess Vera Wendy Alice Maria Sofia""".split()
HE = """Ben Dan Finn Gus Ivo Kai Milo Otto Quin Sam Vic Adam Bruno Carl David Emil Felix Greg Hugo Ian Jack Karl Leo
Max Noah Oscar Paul Ralph Simon Tom Walter Zack Bob John Peter Mark""".split()
NAMES = SHE + HE
ADJECTIVES = """small brave quiet clever shy kind old young curious gentle proud sleepy happy lonely cheerful careful
hungry patient honest tall""".split()
PLACES = """forest valley village garden castle city harbour meadow desert mountain island river cave library workshop
lighthouse mill swamp orchard market tower bridge farm beach""".split()
THINGS = """key map lamp bell coin ring book stone kite boat drum clock shell feather lantern compass mirror basket
candle letter rope hat cup flute spoon wheel ladder umbrella blanket box""".split()
THING_ADJECTIVES = "red blue golden silver broken tiny heavy strange shiny wooden green old dusty glowing".split()
COLOURS = "red blue green yellow black white brown orange purple pink grey".split()
FOODS = """apples pears cakes eggs nuts plums lemons cookies carrots berries oranges peaches rolls beans onions""".split()
LIKES = FOODS + """music books dogs cats horses trains boats stars rain snow tea coffee chess football painting dancing
gardens mountains stories poems bread soup cheese""".split()
CITIES = """Rome Paris Berlin London Madrid Vienna Oslo Dublin Athens Cairo Tokyo Lima Delhi Boston Milan Hamburg Lyon
Porto Zurich Prague Warsaw Helsinki Kyiv Nairobi Sydney Toronto""".split()
NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen twenty""".split()


def capital(text):
    return text[:1].upper() + text[1:]


def article(word):
    return ("an " if word[0] in "aeiou" or word.startswith("honest") else "a ") + word


def invented(dice):
    """A word that means nothing, so that the model meets spellings it does not know."""
    onset = ["b", "br", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "kr", "l", "m", "n", "p", "pl", "qu", "r", "s", "sk",
             "st", "t", "tr", "v", "w", "x", "y", "z", "th", "sh", "ch", ""]
    vowel = ["a", "e", "i", "o", "u", "ai", "ea", "oo", "y", "ou"]
    end = ["", "", "n", "r", "l", "s", "t", "x", "m", "ck", "th", "nd", "rg"]
    return "".join(dice.pick(onset) + dice.pick(vowel) + dice.pick(end) for _ in range(dice.number(1, 3)))
