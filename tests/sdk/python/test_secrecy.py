"""What hone's log holds after everything that the SDKs have done. Sorted last, so that it reads the log of a whole session."""

import time

from conftest import KEY


def test_the_log_has_a_line_per_request_and_no_key_and_no_content(hone, client_of):
    client_of(KEY).chat.completions.create(model="bon-sim-small", messages=[{"role": "user", "content": "a most private sentence"}])
    deadline = time.monotonic() + 10
    while not any('"approach":"bon"' in line for line in hone.log):
        assert time.monotonic() < deadline, "no line for the request"
        time.sleep(0.05)
    log = "".join(hone.log)
    for secret in (KEY, "slow-key", "private", "What is 2 + 3"):
        assert secret not in log
    assert '"tenant":"slow"' in log or '"tenant":"key:' in log
