"""Other gateways that can be measured beside hone: from PyPI, each in an environment of its own, with as little switched on as they allow."""

import json
import pathlib
import subprocess
import sys

ENVIRONMENTS = pathlib.Path(__file__).resolve().parent.parent / "target" / "peers"


def installed(name, requirement):
    """The folder of the programs of an environment, which is made on its first use and may be gigabytes."""
    environment = ENVIRONMENTS / name
    done = environment / "installed"
    if not done.exists() or done.read_text() != requirement:
        print(f"installing {requirement} in {environment}", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
        subprocess.run([environment / "bin" / "pip", "install", "--quiet", requirement], check=True)
        done.write_text(requirement)
    return environment / "bin"


def litellm(folder, port, upstream):
    """LiteLLM's proxy with two workers, no database, no master key."""
    programs = installed("litellm", "litellm[proxy]==1.106.2")
    provider = {"model": "openai/sim-small", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "sk-benchmark"}
    config = folder / "config.yaml"
    # JSON is YAML.
    config.write_text(json.dumps({"model_list": [{"model_name": "sim-small", "litellm_params": provider}]}))
    command = [programs / "litellm", "--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "2"]
    # It starts without a master key only if told to; with one it would look keys up in a database.
    permitted = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
    return command, {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", **permitted}


def optillm(_folder, port, upstream):
    """OptiLLM, which hands requests on with its approach `none`."""
    programs = installed("optillm", "optillm==0.4.0")
    command = [programs / "optillm", "--base-url", f"http://127.0.0.1:{upstream}/v1", "--approach", "none"]
    return [*command, "--host", "127.0.0.1", "--port", str(port), "--log", "error"], {"OPENAI_API_KEY": "sk-benchmark"}


# Each makes the command and the environment's variables of a gateway.
PEERS = {"litellm": litellm, "optillm": optillm}
