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
    keys.ensure_tls_key(directory / folder.MAKING_KEY)
    csr = keys.certificate_request(who.device, directory / folder.MAKING_KEY)
    signature = SigningKey.read(directory / folder.SIGNING_KEY).sign(renewal_bytes(who.device, csr))
    return encode(RenewalRequest(csr=csr, signature=signature.hex()))


if __name__ == "__main__":
    sys.stdout.buffer.write(request(Path(sys.argv[1])))
