# SPDX-License-Identifier: Apache-2.0
"""What does a device say to get its next certificate?

`python -m agent.identity.renewal DIR` prints the request. A program of its own, so that the resident one need
not load what makes keys. Asked again before the answer is on the disk, it makes the same request with the
same key.
"""

from __future__ import annotations

import sys
from pathlib import Path

from agent.contract.enrolment import RenewalRequest, encode, renewal_bytes
from agent.identity import folder, keys
from agent.identity.signing import SigningKey


def request(directory: Path) -> bytes:
    """The request of an enrolled device.

    Raises:
        FileNotFoundError: the device is not enrolled.
    """
    who = folder.enrolled(directory)
    if who is None:
        raise FileNotFoundError(f"{directory} is not enrolled")
    folder.prepare(directory)
    csr = _certificate_request(who.device, directory / folder.MAKING_KEY)
    signature = SigningKey.read(directory / folder.SIGNING_KEY).sign(renewal_bytes(who.device, csr))
    return encode(RenewalRequest(csr=csr, signature=signature.hex()))


def _certificate_request(device: str, key_file: Path) -> str:
    """With the key that is being made; one that is damaged has no certificate yet, and is made anew."""
    keys.ensure_tls_key(key_file)
    try:
        return keys.certificate_request(device, key_file)
    except (ValueError, TypeError):
        key_file.unlink()
    keys.ensure_tls_key(key_file)
    return keys.certificate_request(device, key_file)


if __name__ == "__main__":
    sys.stdout.buffer.write(request(Path(sys.argv[1])))
