"""The page's examples of the clients that are installed here."""

import re

import pytest

import page

ELSEWHERE = {"instructor", "llama-index"}
HERE = [section for section in re.findall(r"^## (.*)$", page.PAGE, re.MULTILINE) if page.blocks(section, "python")]


@pytest.mark.parametrize("section", [section for section in HERE if section not in ELSEWHERE])
def test_an_example_of_the_page(base_url, capsys, section):
    page.runs(section, base_url, capsys)


def test_there_are_examples():
    assert ELSEWHERE < set(HERE)
