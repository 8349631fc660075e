"""How a client program says what it could do: a line a capability, `name TAB ok TAB note` or `name TAB no TAB why`."""

import functools
import sys
import traceback


def expect(found, wanted, what=""):
    if found != wanted:
        raise AssertionError(f"{what or 'value'}: found {str(found)[:300]}, wanted {str(wanted)[:300]}")


def capability(act):
    @functools.wraps(act)
    def run():
        try:
            word, note = "ok", act() or ""
        except Exception as error:  # whatever a client throws is its answer
            traceback.print_exc(file=sys.stderr)
            word, note = "no", f"{type(error).__name__}: {error}"
        print(act.__name__, word, " ".join(str(note).split()), sep="\t", flush=True)
    return run
