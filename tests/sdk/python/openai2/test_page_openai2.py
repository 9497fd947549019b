"""The page's examples of the clients that are installed here."""

import pytest

import page


@pytest.mark.parametrize("section", ["openai for Python", "instructor", "llama-index"])
def test_an_example_of_the_page(base_url, capsys, section):
    page.runs(section, base_url, capsys)
