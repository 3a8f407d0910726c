"""JSON answers and tool calls.

Tools stand in the system text, one compact JSON object a line, as toolbox()
writes them; a call is <tool_call>{"name":…,"arguments":{…}}</tool_call>.
"""

import json

from .dice import Talk
from .facts import CAPITALS, OPPOSITES
from .words import ANIMALS, CITIES, COLOURS, FOODS, LIKES, NAMES, NUMBERS, PEOPLE, PLACES, THINGS, article, invented


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def person(dice):
    """Returns (sentence, fields)."""
    n = dice.draw(lambda: (dice.pick(NAMES), dice.pick(PEOPLE)))
    fields = {"name": n[0], "job": n[1], "age": dice.number(5, 90), "city": dice.pick(CITIES)}
    text = dice.pick(["{name} is {a} of {age} years and lives in {city}.", "{name}, {age}, is {a} in {city}.", "In {city} lives {name}, {a} of {age}.",
                      "My name is {name}, I am {age}, I live in {city} and work as {a}."])
    return text.format(a=article(fields["job"]), **fields), fields


def thing(dice):
    n = dice.draw(lambda: (dice.pick(THINGS), dice.pick(COLOURS)))
    fields = {"item": n[0], "colour": n[1], "price": dice.number(1, 99), "count": dice.number(1, 20)}
    return dice.pick(["There are {count} {colour} pieces of the item {item}, {price} each.", "Item {item}, colour {colour}, price {price}, count {count}.",
                      "We have {count} of {item} in {colour} for {price}."]).format(**fields), fields


def join(keys):
    return ", ".join(keys[:-1]) + " and " + keys[-1] if len(keys) > 1 else keys[0]


def extract(dice):
    text, fields = dice.pick([person, thing])(dice)
    keys = dice.some(list(fields), dice.number(1, len(fields)))
    wish = dice.pick(["as JSON with the keys", "as a JSON object with the keys", "in JSON with keys", "as JSON:"])
    request = dice.pick([f"Extract {join(keys)} {wish.split(' with')[0].rstrip(':')}. {text}", f"{text} Give me that {wish} {join(keys)}.",
                         f"{text} Answer {wish} {join(keys)}.", f"Answer {wish} {join(keys)}. {text}", f"Write this {wish} {join(keys)}: {text}"])
    return [("user", request), ("assistant", dumps({k: fields[k] for k in keys}))]


def answer(dice):
    kind = dice.number(0, 3)
    if kind == 0:
        n = dice.pick(list(CAPITALS))
        question, value = f"What is the capital of {n}?", CAPITALS[n]
    elif kind == 1:
        n = dice.pick(list(OPPOSITES))
        question, value = f"What is the opposite of {n}?", OPPOSITES[n]
    else:
        a, b = dice.draw(lambda: (dice.number(0, 20), dice.number(0, 20)))
        question, value = f"What is {a} + {b}?", a + b
    key = dice.pick(["answer", "answer", "result", "value", "output", "reply", invented(dice)])
    if dice.chance(0.4):
        return [("system", dice.pick([f'Answer with a JSON object that has the key "{key}".', f"Reply only in JSON with the key {key}."])),
                ("user", question), ("assistant", dumps({key: value}))]
    return [("user", dice.pick([f"{question} Answer in JSON with the key {key}.", f'Answer in JSON with the key "{key}": {question}',
                                f"{question} Reply as a JSON object with the key {key}."])), ("assistant", dumps({key: value}))]


def array(dice):
    word, pool = dice.pick([("animals", ANIMALS), ("colours", COLOURS), ("names", NAMES), ("cities", CITIES), ("things", THINGS), ("foods", FOODS)])
    n = dice.number(2, 5)
    if dice.chance(0.5):
        items = list(dice.draw(lambda: tuple(dice.some(pool, n))))
        return [("user", dice.pick([f"Write {', '.join(items)} as a JSON array.", f"As a JSON array: {', '.join(items)}"])), ("assistant", dumps(items))]
    return [("user", dice.pick([f"Give me {dice.pick([NUMBERS[n], str(n)])} {word} as a JSON array.", f"A JSON array of {n} {word}, please."])), ("assistant", dumps(dice.some(pool, n)))]


def free(dice):
    """A JSON object with the asked keys and made-up values."""
    makers = {"name": NAMES, "city": CITIES, "colour": COLOURS, "animal": ANIMALS, "job": PEOPLE, "place": PLACES, "item": THINGS, "food": FOODS, "likes": LIKES}
    keys = dice.draw(lambda: tuple(dice.some(list(makers) + ["age", "count", "price"], dice.number(2, 4))))
    value = {k: dice.number(1, 90) if k in ("age", "count", "price") else dice.pick(makers[k]) for k in keys}
    about = dice.pick(["", " for a person", " of an example", " that you make up"])
    return [("user", dice.pick([f"Give me a JSON object{about} with the keys {join(list(keys))}.", f"Write a JSON object{about} with {join(list(keys))}.",
                                f"Return JSON with the keys {', '.join(keys)}."])), ("assistant", dumps(value))]


def json_talk(dice):
    make = dice.random.choices([extract, answer, array, free], [45, 25, 15, 15])[0]
    return Talk("json free" if make is free else "json", make(dice))


# Tool kinds: names it may have, parameters (each with spellings), questions, and how a result reads.
KINDS = [
    (["get_weather", "weather", "weather_lookup"], [(["city", "location", "place", "town"], "city")],
     ["What is the weather in {city}?", "How is the weather in {city}?", "Will it rain in {city}?", "Weather for {city}, please."]),
    (["get_time", "time_in", "clock"], [(["city", "location", "zone"], "city")],
     ["What time is it in {city}?", "Tell me the time in {city}.", "How late is it in {city}?"]),
    (["get_balance", "balance", "account_balance"], [(["account", "name", "owner"], "name")],
     ["What is the balance of {name}?", "How much money has {name}?", "Show me the balance of {name}."]),
    (["send", "transfer", "send_tokens", "pay"], [(["to", "recipient", "receiver"], "name"), (["amount", "tokens", "value"], "number")],
     ["Send {number} tokens to {name}.", "Pay {name} {number} tokens.", "Transfer {number} to {name}."]),
    (["search", "web_search", "find"], [(["query", "text", "q"], "word")],
     ["Search for {word}.", "Find something about {word}.", "Look up {word}."]),
    (["calculator", "calculate", "add"], [(["a", "x", "first"], "number"), (["b", "y", "second"], "number2")],
     ["What is {number} plus {number2}?", "Add {number} and {number2}.", "Calculate {number} + {number2}."]),
    (["set_timer", "timer", "start_timer"], [(["minutes", "duration", "length"], "number")],
     ["Set a timer for {number} minutes.", "Start a timer of {number} minutes.", "Wake me in {number} minutes."]),
    (["submit_job", "run_job", "submit"], [(["prompt", "input", "text"], "word"), (["model", "engine"], "model")],
     ["Submit a job with the prompt {word} on {model}.", "Run {word} on the model {model}.", "Run a job with {word} on {model}."]),
    (["list_models", "models", "get_models"], [], ["Which models are there?", "List the models.", "Show me all models."]),
    (["get_price", "price", "price_of"], [(["item", "product", "thing"], "thing")],
     ["What does the {thing} cost?", "What is the price of the {thing}?", "How much is the {thing}?"]),
    (["turn_on", "switch_on", "light_on"], [(["device", "name", "what"], "thing")], ["Turn on the {thing}.", "Switch the {thing} on."]),
    (["get_job", "job_status", "status"], [(["id", "job", "job_id"], "number")],
     ["What is the status of job {number}?", "How is job {number} doing?", "Is job {number} done?"]),
]
NO_TOOL = "I have no tool for that."


def toolbox(tools):
    """The system text that offers tools: a head line, then one object a line."""
    return "Tools:\n" + "\n".join(json.dumps({"name": n, "parameters": p}, separators=(",", ":")) for n, p in tools)


def tool_call(name, arguments):
    return "<tool_call>" + json.dumps({"name": name, "arguments": arguments}, separators=(",", ":")) + "</tool_call>"


def tool_talk(dice):
    kinds = dice.some(KINDS, dice.number(1, 4))
    offered = [(dice.pick(names), [dice.pick(spellings) for spellings, _ in parameters]) for names, parameters, _ in kinds]
    values = dict(zip(("city", "name", "word", "model", "thing"), dice.draw(lambda: (
        dice.pick(CITIES), dice.pick(NAMES), dice.pick(FOODS + ANIMALS), dice.pick(["aitbc-tiny", "llama3.2", "qwen", "mistral", "gemma"]), dice.pick(THINGS)))))
    values.update(number=dice.number(1, 99), number2=dice.number(1, 99))
    system = ("system", toolbox(offered))
    if dice.chance(0.12):
        names, _, questions = dice.pick([k for k in KINDS if k not in kinds])
        return Talk("tool call", [system, ("user", dice.pick(questions).format(**values)), ("assistant", NO_TOOL)])
    i = dice.number(0, len(kinds) - 1)
    (name, spelled), (_, parameters, questions) = offered[i], kinds[i]
    arguments = {s: values[what] for s, (_, what) in zip(spelled, parameters)}
    turns = [system, ("user", dice.pick(questions).format(**values)), ("assistant", tool_call(name, arguments))]
    if dice.chance(0.35):
        key = dice.pick(["result", "value", "answer", "output"])
        result = dice.pick([dice.number(1, 99), dice.pick(COLOURS), dice.pick(LIKES), "done", "clear", "rain"])
        turns += [("tool", json.dumps({key: result}, separators=(",", ":"))), ("assistant", f"The {key} is {result}.")]
        return Talk("tool result", turns)
    return Talk("tool call", turns)
