#!/usr/bin/env bash
# Kills an embedded server with SIGKILL in the middle of its writes, a hundred times unless told
# otherwise, and looks whether everything that was answered is still there. `cargo test` does the
# same a few times.
#
#   tests/crash/run.sh [CRASHES]
set -euo pipefail
cd "$(dirname "$0")/../.."

LATCHKEY_TEST_CRASHES=${1:-100} cargo test --locked --test it crash:: -- --nocapture
