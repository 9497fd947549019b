"""The question sets of the experiment, from seeds. Usage: sets.py FOLDER [WHEEL]

Writes easy.jsonl and arithmetic.jsonl into FOLDER, and gsm.jsonl if WHEEL is the wheel of reasoning-gym.
"""

import json
import pathlib
import random
import sys
import types
import zipfile

SEED = 20261201
# Of each easy kind.
EASY = 50
ARITHMETIC = 150
GSM = 100

NAMES = ["Ann", "Ben", "Carla", "Dev", "Eva", "Finn", "Gita", "Hugo"]
THINGS = ["apples", "books", "cards", "eggs", "marbles", "pens", "shells", "stamps"]


def sum_small(rng):
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    return f"What is {a} + {b}?", a + b


def sum_mixed(rng):
    a, b = rng.randint(11, 60), rng.randint(2, 9)
    return f"What is {a} + {b}?", a + b


def sum_large(rng):
    a, b = rng.randint(11, 60), rng.randint(11, 39)
    return f"What is {a} + {b}?", a + b


def difference_small(rng):
    b, c = rng.randint(2, 9), rng.randint(2, 9)
    return f"What is {b + c} - {b}?", c


def difference_large(rng):
    a, b = rng.randint(25, 80), rng.randint(2, 19)
    return f"What is {a} - {b}?", a - b


def product_small(rng):
    a, b = rng.randint(2, 9), rng.randint(2, 9)
    return f"What is {a} times {b}?", a * b


def product_large(rng):
    a, b = rng.randint(10, 20), rng.randint(2, 6)
    return f"What is {a} times {b}?", a * b


def half(rng):
    a = rng.randint(2, 60)
    return f"What is half of {2 * a}?", a


def story_more(rng):
    a, b, who, what = rng.randint(2, 12), rng.randint(2, 12), rng.choice(NAMES), rng.choice(THINGS)
    return f"{who} has {a} {what} and gets {b} more. How many {what} does {who} have now?", a + b


def story_fewer(rng):
    b, c, who, what = rng.randint(2, 9), rng.randint(2, 9), rng.choice(NAMES), rng.choice(THINGS)
    return f"{who} has {b + c} {what} and gives {b} away. How many {what} does {who} have left?", c


def largest(rng):
    numbers = rng.sample(range(1, 100), 4)
    options = "\n".join(f"{letter}) {number}" for letter, number in zip("ABCD", numbers))
    return f"Which of these numbers is the largest?\n{options}", "ABCD"[numbers.index(max(numbers))]


# Small enough for a model of 135 million parameters to be sometimes right.
EASY_KINDS = [
    sum_small,
    sum_mixed,
    sum_large,
    difference_small,
    difference_large,
    product_small,
    product_large,
    half,
    story_more,
    story_fewer,
    largest,
]


def shop(rng):
    a, b, c, d = rng.randint(12, 48), rng.randint(103, 389), rng.randint(12, 48), rng.randint(103, 389)
    text = f"A shop sells {a} lamps for {b} dollars each and {c} chairs for {d} dollars each. How many dollars does it take in?"
    return text, a * b + c * d


def farm(rng):
    a, b, c = rng.randint(112, 389), rng.randint(13, 47), rng.randint(115, 899)
    return f"A farm fills {a} crates with {b} pears each and throws {c} pears away. How many pears are in the crates and on the heap together?", a * b + c


def trip(rng):
    a, b, c = rng.randint(212, 489), rng.randint(3, 9), rng.randint(105, 208)
    return f"A bus drives {a} kilometres on each of {b} days, and {c} kilometres on the day after. How far does it drive in all?", a * b + c


def savings(rng):
    a, b, c = rng.randint(12, 48), rng.randint(105, 389), rng.randint(207, 998)
    return f"{rng.choice(NAMES)} saves {b} dollars a month for {a} months, then spends {c} dollars. How many dollars are left?", a * b - c


def mill(rng):
    a, b, c = rng.randint(12, 36), rng.randint(112, 389), rng.randint(2, 9)
    return f"A mill has {a} rows of {b} bags. Each bag weighs {c} kilograms. How many kilograms do the bags weigh in all?", a * b * c


ARITHMETIC_KINDS = [shop, farm, trip, savings, mill]


def distinct(kinds, each, seed):
    """`each` different questions of every kind."""
    rng = random.Random(seed)
    for make in kinds:
        seen = set()
        while len(seen) < each:
            prompt, answer = make(rng)
            if prompt not in seen:
                seen.add(prompt)
                yield {"id": f"{make.__name__}-{len(seen)}", "category": make.__name__, "prompt": prompt, "answer": answer}


def symbolic(wheel):
    """GSM-Symbolic: a question of each sound template, then of the first again. Runs three files of the wheel, and installs none."""
    archive = zipfile.ZipFile(wheel)
    modules = {}
    for name in ["utils", "arithmetic.gsm_symbolic.generators_00_49", "arithmetic.gsm_symbolic.generators_50_99"]:
        module = types.ModuleType(f"reasoning_gym.{name}")
        sys.modules[module.__name__] = module
        exec(compile(archive.read(f"reasoning_gym/{name.replace('.', '/')}.py"), name, "exec"), module.__dict__)
        modules |= {key: value for key, value in vars(module).items() if key.startswith("generate_")}
    listing = types.ModuleType("listing")
    source = archive.read("reasoning_gym/arithmetic/gsm_symbolic/gsm_symbolic.py").decode()
    exec(source[source.index("tasks_ok") : source.index("@dataclass")], listing.__dict__)
    sound = sorted(listing.tasks_ok)
    for number in range(GSM):
        template = sound[number % len(sound)]
        example = modules[f"generate_{template}"](random.Random(SEED + number), 1.0)
        yield {"id": f"gsm-{number + 1}", "category": f"template-{template}", "prompt": example["question"], "answer": example["answer"]}


def write(path, questions):
    lines = [json.dumps(question) + "\n" for question in questions]
    path.write_text("".join(lines))
    print(f"{path}: {len(lines)} questions")


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "easy.jsonl", distinct(EASY_KINDS, EASY, SEED))
    write(folder / "arithmetic.jsonl", distinct(ARITHMETIC_KINDS, ARITHMETIC // len(ARITHMETIC_KINDS), SEED + 1))
    if len(sys.argv) > 2:
        write(folder / "gsm.jsonl", symbolic(sys.argv[2]))


if __name__ == "__main__":
    main()
