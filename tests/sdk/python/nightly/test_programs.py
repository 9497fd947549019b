"""`llm`, aider, Qwen Code and opencode, each in a plain, a strategy and a limited session, set up as `docs/clients.md` says."""

import os
import subprocess

import pytest

import page
from clients import LIMITS, SAID, installed, refusals, says_the_same, use_up
from conftest import MODELS, PLAIN, ROOT, UPSTREAM

NODE = ROOT / "tests/sdk/node/node_modules/.bin"
# The heading of each on the page, where its program is, the file that the page writes, and what is particular to a test.
LLM = ("llm", ["llm", "bin"], ("yaml", "extra-openai-models.yaml"), "")
AIDER = ("aider", ["aider", "bin"], None, " --no-check-update --no-show-release-notes --analytics-disable --yes-always --no-git --map-tokens 0")
QWEN = ("Qwen Code", ["qwen", "node_modules", ".bin"], None, "")
OPENCODE = ("opencode", ["opencode", "node_modules", ".bin"], ("json", "opencode.json"), "")

programs = pytest.mark.parametrize("program", [LLM, AIDER, QWEN, OPENCODE], ids=lambda program: program[0])


@pytest.fixture(autouse=True)
def words(sim):
    says_the_same(sim)


def prepared(program, home, url, key, model):
    """A function that runs the program and returns what it prints."""
    section, place, file, quiet = program
    folder = installed(*place)
    if file:
        language, name = file
        [text] = page.blocks(section, language)
        home.joinpath(name).write_text(page.pointed(text, url, key, model))
    [script] = page.blocks(section, "sh")
    script = page.pointed(script, url, key, model).rstrip() + quiet
    environment = {"HOME": str(home), "LLM_USER_PATH": str(home), "PATH": f"{folder}:{NODE}:{os.environ['PATH']}"}

    def run():
        command = ["bash", "-ec", script]
        done = subprocess.run(
            command, cwd=home, env=os.environ | environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@programs
@pytest.mark.parametrize("model", MODELS)
def test_a_session(base_url, stats, tmp_path, program, model):
    run = prepared(program, tmp_path, base_url, "my-key", model)
    before = stats()["calls"].get("chat/completions", 0)
    assert SAID in run()
    assert stats()["calls"]["chat/completions"] > before


@programs
def test_a_session_waits_for_its_limit_as_it_is_told(serve, tmp_path, program, new_key):
    hone = serve(UPSTREAM + LIMITS)
    url = f"http://{hone.address}/v1"
    run = prepared(program, tmp_path, url, new_key, PLAIN)
    use_up(url, new_key)
    before = refusals(hone)
    assert SAID in run()
    assert refusals(hone) > before
