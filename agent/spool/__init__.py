# SPDX-License-Identifier: Apache-2.0
"""The durable queue between measuring and sending; nothing leaves it but by the collector's acknowledgement."""
