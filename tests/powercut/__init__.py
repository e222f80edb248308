# SPDX-License-Identifier: Apache-2.0
"""A disk in memory that forgets at a power cut what was not made durable, and fails when told to."""
