"""Honest answers to what a very small model cannot know or do."""

from .dice import Talk
from .words import capital, invented

FIELDS = """quantum mechanics,the stock market,football results,my taxes,the election,a good restaurant,the weather tomorrow,Python code,
a car engine,the French Revolution,black holes,cooking rice,the meaning of life,chess openings,my homework,a virus,politics,medicine,the law,
a website,music theory,vaccines,philosophy,a legal contract,the news,flight prices,a marketing plan,linear algebra,biology,ancient Rome,
the ocean floor,a bank loan,gene editing,Roman history,the Ottoman Empire,photosynthesis,relativity,string theory,inflation,interest rates,
the Second World War,the Cold War,Napoleon,Julius Caesar,Einstein,Mozart,Picasso,the Bible,Buddhism,yoga,a diet,losing weight,sleep,headaches,cancer,
diabetes,a broken leg,antibiotics,nuclear power,solar panels,electric cars,climate change,earthquakes,volcanoes,dinosaurs,evolution,DNA,atoms,
electrons,gravity,magnets,lasers,rockets,the moon landing,satellites,the big bang,galaxies,calculus,geometry,statistics,prime numbers,topology,
Java,Rust programming,JavaScript,a sorting algorithm,a regular expression,SQL queries,Linux,Windows,my printer,my phone,a password I lost,a virus scanner,
a business plan,a cover letter,my resume,a job interview,a wedding speech,a love letter,my divorce,my landlord,a visa,a passport,insurance,pensions,
bitcoin prices,Dogecoin,Solana,gold prices,real estate,the football cup,tennis,the Olympics,basketball,Formula One,a movie,a television series,
the best phone,a laptop,a holiday in Spain,hotels in Rome,a train timetable,a recipe for soup,baking bread,wine,beer,coffee machines,a vegan dinner,
my dog's health,gardening,roses,tomatoes,a swimming pool,painting a wall,fixing a bicycle,plumbing,electric wiring,knitting,origami,the guitar,the piano,
jazz,opera,hip hop,Greek myths,Norse gods,Egyptian pyramids,the Maya,samurai,the Silk Road,the Renaissance,the industrial revolution,the United Nations,
the European Union,the constitution,human rights,capitalism,socialism,economics,game theory,psychology,dreams,anxiety,meditation,ethics,logic,Plato,
Kant,poetry of Goethe,Russian novels,Harry Potter,Star Wars,Minecraft,a role-playing game,a crossword,a riddle about time,horoscopes,ghosts,aliens,
the deep sea,coral reefs,whale songs,penguin colonies,the Amazon,the Sahara,Antarctica,glaciers,rivers in Asia,maps of Africa,cryptography research,
compilers,operating systems,databases,neural networks,image recognition,speech synthesis,robotics,drones,self-driving cars,3D printing,microchips,
semiconductors,batteries,hydrogen,fusion,steel,concrete,bridges,skyscrapers,shipping,airlines,railways,traffic jams,bicycles,immigration,education,
universities,student loans,kindergarten,parenting,babies,ageing,history of tea,the price of oil,the population of Mars,world records""".replace("\n", "").split(",")

ASKS = ["Explain {t}.", "Tell me about {t}.", "What do you know about {t}?", "Help me with {t}.", "Write an essay about {t}.", "How does {t} work?",
        "Give me advice about {t}.", "What can you tell me about {t}?", "I need help with {t}.", "Teach me {t}.", "Why is {t} important?",
        "Summarise {t}.", "Write a report on {t}.", "Can you explain {t}?", "What is the history of {t}?", "What are the basics of {t}?", "What is {t}?"]
REQUESTS = ["Write a Python function that sorts a list.", "Write a program in C.", "Fix this code for me.", "Write an essay of 1000 words.", "Translate this book.",
            "Who will win the election?", "Who is the president?", "What time is it?", "What is the date today?", "What day is it today?", "How is the weather?",
            "Will it rain tomorrow?", "What is the price of bitcoin?", "Draw a picture of a house.", "Show me an image.", "Play some music.", "Search the internet.",
            "Open a website.", "Read my mail.", "Call my mother.", "Book a flight to Rome.", "Order a pizza.", "What is the best phone?", "Which shares should I buy?",
            "Should I sell my house?", "How do I get rich?", "What will happen tomorrow?", "How old is the king?", "Who won the cup?", "Solve this equation.",
            "What is the square root of 1234?", "Prove the theorem.", "What is 12345 * 6789?", "What is 4821 / 37?", "Diagnose my illness.", "Which pill should I take?", "Is my code correct?",
            "Write a novel.", "Write a song for piano.", "Compose a symphony.", "Summarise this article.", "What is the news today?", "Where am I?", "How much money do I have?"]


def answer(topic):
    return f"I am too small to know about {topic}. A larger model on the market can help you."


CANNOT = "I cannot do that: I am a very small model. A larger model on the market can help you."
UNCLEAR = "I did not understand that. Ask me for a story, a poem, a simple fact, a small sum, or about AITBC."


def topic(dice):
    kind = dice.number(0, 9)
    if kind < 6:
        return dice.pick(FIELDS)
    word = invented(dice)
    return dice.pick([word, capital(word), f"the {capital(word)} {dice.pick(['war', 'theorem', 'effect', 'empire', 'festival', 'island', 'school'])}",
                      f"{capital(word)} {capital(invented(dice))}", f"the {word}", f"{word} {dice.pick(['theory', 'law', 'design', 'music', 'history', 'repair'])}"])


def talk(dice):
    kind = dice.random.random()
    if kind < 0.68:
        t = dice.draw(lambda: topic(dice))
        turns = [("user", dice.pick(ASKS).format(t=t)), ("assistant", answer(t))]
        if dice.chance(0.12):
            turns += [("user", dice.pick(["Why not?", "Why?", "Why don't you know?", "But why?"])),
                      ("assistant", "I have only a few million parameters and learned only a small world of text. Larger models know more.")]
        return Talk("refusal", turns)
    if kind < 0.80:
        return Talk("refusal", [("user", dice.pick(REQUESTS)), ("assistant", CANNOT)])
    if kind < 0.88:
        place = dice.draw(lambda: capital(invented(dice)))
        return Talk("refusal", [("user", dice.pick([f"What is the capital of {place}?", f"Capital of {place}?", f"Which city is the capital of {place}?"])),
                                ("assistant", f"I do not know the capital of {place}.")])
    if kind < 0.92:
        person = dice.draw(lambda: f"{capital(invented(dice))} {capital(invented(dice))}")
        return Talk("refusal", [("user", dice.pick([f"Who is {person}?", f"Who was {person}?", f"When was {person} born?"])),
                                ("assistant", f"I do not know {person}. A larger model on the market can help you.")])
    noise = dice.draw(lambda: " ".join(invented(dice) for _ in range(dice.number(1, 5))))
    if dice.chance(0.3):
        noise = dice.pick(["你好", "Привет", "¿Qué tal?", "Ça va ?", "Grüß Gott", "😀", "???", "...", "!!!", "こんにちは", "مرحبا", "Zażółć", "x", "%$#@", "ñandú", "👍👍", "№ 5", "état"])
    return Talk("refusal", [("user", noise), ("assistant", UNCLEAR)])
