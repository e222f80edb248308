# SPDX-License-Identifier: Apache-2.0
"""The other end of the schools' throughput tests: `school-collector reflector`."""
