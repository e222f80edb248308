# SPDX-License-Identifier: Apache-2.0
"""The durable queue between measuring and sending; only an acknowledgement empties it."""
