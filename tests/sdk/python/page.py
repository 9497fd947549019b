"""The examples of `docs/clients.md`."""

import re

from conftest import PICKED, ROOT

PAGE = (ROOT / "docs/clients.md").read_text()


def blocks(section, language):
    """The blocks in this language under a heading of the page, as they are written there."""
    [text] = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def pointed(text, url, key="sk-example", model=PICKED):
    """An example, or a part of one, that asks this hone with this key for this model."""
    for written, real in [("http://127.0.0.1:8000/v1", url), ("sk-example", key), ("bon-gpt-4o", model)]:
        text = text.replace(written, real)
    return text


def runs(section, url, capsys):
    """Runs the section's Python, each block by itself, and has each print something."""
    examples = blocks(section, "python")
    assert examples
    for example in examples:
        exec(compile(pointed(example, url), section, "exec"), {"__name__": "example"})
        assert capsys.readouterr().out.strip()
