# SPDX-License-Identifier: Apache-2.0
"""What does the authority say no to?"""

from __future__ import annotations

from collector.errors import CollectorError


class AuthorityProblem(CollectorError):
    """The authority's own folder cannot be used; tell the operator."""


class Refused(CollectorError):
    """A request that is not granted; the sentence goes to whoever asked."""
