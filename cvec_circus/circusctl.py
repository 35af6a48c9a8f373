"""cvec_circusctl for programs, and for `python -m`: `main`."""

from cvec_circus.compat.paths import ending, finder, others

__all__ = ["main"]
__all__ += others(__name__)

__getattr__ = finder(__name__)

main = ending("cvec_circus.ctl.main")

if __name__ == "__main__":
    main()
