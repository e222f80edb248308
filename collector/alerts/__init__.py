# SPDX-License-Identifier: Apache-2.0
"""Who is told what, when and how? `outbox.py` is the page to read first."""
