"""How cvec_circus is built and installed: pip install ."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
PACKAGE = HERE / "cvec_circus"


def version() -> str:
    """Read the version from the package without importing it: its dependencies may be missing."""
    text = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise RuntimeError("cvec_circus/__init__.py has no __version__ line")
    return found.group(1)


# requirements.txt holds the same lines; tests/test_packaging.py compares them.
REQUIRES = ["pyzmq>=25", "psutil>=5.9", "configobj>=5.0.8"]
COMPLETION = ["argcomplete>=3"]
REDIS = ["redis>=4.5"]
SCHEDULE = ["cronsim>=2.5"]
DOTENV = ["python-dotenv>=1.0"]
TOML = ["tomli>=1.1; python_version < '3.11'"]
EXTRAS = [*COMPLETION, *REDIS, *SCHEDULE, *DOTENV, *TOML]
SERVERS = ["gunicorn", "uvicorn", "celery[redis]"]
TEST = ["aiosmtpd", "circus==0.19.*", "hypothesis", "jsonschema", "sdnotify", *SERVERS, *EXTRAS]
DOCS = ["sphinx", "furo"]
DEV = [*TEST, *DOCS, "ruff", "mypy", "types-psutil"]

# Made by docs/build_man.py; relative, as setuptools wants it.
MAN_PAGES = sorted(str(page.relative_to(HERE)) for page in (HERE / "docs" / "man").glob("*.1"))

setup(
    name="cvec_circus",
    version=version(),
    description="A process and socket supervisor with a plugin system",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.9",
    packages=find_packages(include=["cvec_circus", "cvec_circus.*"]),
    package_data={"cvec_circus": ["py.typed"], "cvec_circus.demo": ["*.ini"]},
    data_files=[("share/man/man1", MAN_PAGES)],
    scripts=[
        "bin/cvec_circusd",
        "bin/cvec_circusctl",
        "bin/cvec_circus-plugin",
        "bin/cvec_circusd-stats",
        "bin/cvec_circus-top",
    ],
    install_requires=REQUIRES,
    extras_require={
        "yaml": ["PyYAML"],  # a loggerconfig in yaml
        "completion": COMPLETION,  # of command lines in bash, zsh and fish
        "redis": REDIS,  # the plugin RedisObserver
        "toml": TOML,  # a configuration in TOML; the standard library has it from 3.11 on
        "dotenv": DOTENV,  # env_file
        "schedule": SCHEDULE,  # jobs that run at their times
        "title": ["setproctitle"],  # proc_name in the whole of what ps shows
        "test": TEST,
        "docs": DOCS,
        "dev": DEV,
    },
    zip_safe=False,
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Environment :: No Input/Output (Daemon)",
        "Intended Audience :: System Administrators",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.9",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: System :: Boot :: Init",
        "Topic :: System :: Monitoring",
        "Typing :: Typed",
    ],
)
