"""Questions with known answers for `hone eval`, easy enough for a small model to be sometimes right. Usage: questions.py [--seed N] > FILE.jsonl"""

import argparse
import json
import random

ARITHMETIC = 100
CHOICE = 50


def arithmetic(rng):
    """One or two steps with small whole numbers."""
    a, b, c = (rng.randint(2, 12) for _ in range(3))
    kind = rng.choice(["sum", "difference", "product", "story"])
    if kind == "sum":
        a, b = rng.randint(2, 60), rng.randint(2, 30)
        return f"What is {a} + {b}?", a + b
    if kind == "difference":
        a, b = rng.randint(20, 60), rng.randint(2, 19)
        return f"What is {a} - {b}?", a - b
    if kind == "product":
        return f"What is {a} times {b}?", a * b
    return f"Tom has {a} bags with {b} apples each, and {c} more apples. How many apples does he have?", a * b + c


def choice(rng):
    """The largest or the smallest of four numbers."""
    numbers = rng.sample(range(1, 100), 4)
    word, pick = rng.choice([("largest", max), ("smallest", min)])
    options = "\n".join(f"{letter}) {number}" for letter, number in zip("ABCD", numbers))
    return f"Which of these numbers is the {word}?\n{options}", "ABCD"[numbers.index(pick(numbers))]


def questions(seed):
    rng = random.Random(seed)
    for kind, make, count in (("arithmetic", arithmetic, ARITHMETIC), ("choice", choice, CHOICE)):
        seen = set()
        while len(seen) < count:
            prompt, answer = make(rng)
            if prompt not in seen:
                seen.add(prompt)
                yield {"id": f"{kind}-{len(seen)}", "category": kind, "prompt": prompt, "answer": answer}


def main():
    parser = argparse.ArgumentParser(description="questions with known answers, for hone eval")
    parser.add_argument("--seed", type=int, default=1)
    for question in questions(parser.parse_args().seed):
        print(json.dumps(question))


if __name__ == "__main__":
    main()
