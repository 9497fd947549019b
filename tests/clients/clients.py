"""The clients: how each is told where to ask, kept from asking elsewhere, and what it is to do."""

import json
import pathlib
import typing

from upstream import Call

PROMPT = "Replace old by new in note.txt"
FILE, BEFORE, AFTER = "note.txt", "old text\n", "new text\n"
KEY = "sk-any-shape-of-key"


class Client(typing.NamedTuple):
    """One client."""

    dialect: str
    # Of the home folder, hone's address and an approach, if any: writes what the client reads there, and returns its
    # environment.
    settle: typing.Callable[[pathlib.Path, str, str], dict]
    command: list
    # Of the file's path: what the provider says, step by step.
    steps: typing.Callable[[pathlib.Path], list]
    # What it prints at the end.
    shows: str = "Done."


def claude_code(home, address, approach):
    return {
        "ANTHROPIC_BASE_URL": address,
        "ANTHROPIC_AUTH_TOKEN": KEY,
        "ANTHROPIC_MODEL": "claude-sonnet-4-6",
        "ANTHROPIC_CUSTOM_HEADERS": f"x-hone-approach: {approach or 'none'}",
        # No telemetry, no error reports, no updates.
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }


CODEX = """
model = "{model}"
model_provider = "hone"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.hone]
name = "hone"
base_url = "{address}/v1"
env_key = "HONE_CLIENT_KEY"
wire_api = "responses"
http_headers = {{ "x-hone-approach" = "{approach}" }}
"""


def codex(model):
    def settle(home, address, approach):
        config = CODEX.format(model=model, address=address, approach=approach or "none")
        (home / ".codex").mkdir()
        (home / ".codex/config.toml").write_text(config)
        return {"HONE_CLIENT_KEY": KEY}

    return settle


def gemini_cli(home, address, approach):
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "privacy": {"usageStatisticsEnabled": False},
    }
    (home / ".gemini").mkdir()
    (home / ".gemini/settings.json").write_text(json.dumps(settings))
    asks = {"GOOGLE_GEMINI_BASE_URL": address, "GEMINI_API_KEY": KEY, "GEMINI_CLI_TRUST_WORKSPACE": "true"}
    # It sends no headers of its users.
    return asks | ({"GEMINI_MODEL": f"{approach}-gemini-3.1-pro-preview"} if approach else {})


def edits(tool_of_reading, tool_of_editing, **more):
    def steps(file):
        change = {"file_path": str(file), "old_string": "old", "new_string": "new", **more}
        return [Call(tool_of_reading, {"file_path": str(file)}), Call(tool_of_editing, change), "Done."]

    return steps


PATCH = f"*** Begin Patch\n*** Update File: {FILE}\n@@\n-{BEFORE}+{AFTER}*** End Patch\n"


def patches(_):
    return [Call("apply_patch", {"input": PATCH}), "Done."]


def scripts(_):
    return [Call("exec", {"input": f"text(await tools.apply_patch({json.dumps(PATCH)}))"}), "Done."]


CODEX_COMMAND = ["codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", PROMPT]
CLIENTS = {
    "claude-code": Client(
        "anthropic",
        claude_code,
        ["claude", "-p", PROMPT, "--permission-mode", "acceptEdits"],
        edits("Read", "Edit"),
    ),
    # It counts tokens in many calls at once, and asks for no answer.
    "claude-code-context": Client("anthropic", claude_code, ["claude", "-p", "/context"], lambda _: [], "Context Usage"),
    # Some models are offered the tools one by one, newer ones a tool that runs scripts, in an item of the input.
    "codex": Client("openai-responses", codex("gpt-5.5"), CODEX_COMMAND, patches),
    "codex-scripts": Client("openai-responses", codex("gpt-6.2-sol"), CODEX_COMMAND, scripts),
    "gemini-cli": Client(
        "gemini",
        gemini_cli,
        ["gemini", "-p", PROMPT, "--approval-mode", "yolo"],
        edits("read_file", "replace", instruction="Replace old by new."),
    ),
}
