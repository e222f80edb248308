# SPDX-License-Identifier: Apache-2.0
"""Do the engines of the throughput probes judge what they saw rightly?"""
