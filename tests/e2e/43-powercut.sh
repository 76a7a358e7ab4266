#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Power cuts: what COMMIT had answered OK for is there afterwards.

exec bash "$(dirname "$0")/../crash/powercut.sh" 60
