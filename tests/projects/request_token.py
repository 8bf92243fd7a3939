"""Ask the token endpoint, with the credentials of a client and headers as JSON; print the status and the error."""

from __future__ import annotations

import json
import sys

import django


def main() -> None:
    django.setup()
    from tests import endpoints

    client_id, secret, headers = sys.argv[1:]
    headers = {**json.loads(headers), "Authorization": endpoints.basic(client_id, secret)}
    answer = endpoints.post("/oauth/token", {"grant_type": "client_credentials"}, headers=headers)
    print(answer.status_code, json.loads(answer.content).get("error", ""))


if __name__ == "__main__":
    main()
