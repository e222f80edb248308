# SPDX-License-Identifier: Apache-2.0
"""What do contracts, calendars and exclusions say? Reads what people wrote; `collector.sla` judges by it."""
