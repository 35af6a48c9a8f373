"""Installs cvec_circus under the name of Circus as well: pip install . ./alias"""

from __future__ import annotations

from setuptools import setup

PROGRAMS = {
    "circusd": "circusd",
    "circusctl": "circusctl",
    "circus-plugin": "plugins",
    "circus-top": "stats.client",
    "circusd-stats": "stats",
}

setup(
    name="circus",
    version="0.19.0+cvec.circus.0.1.0",  # of Circus, and ours
    description="cvec_circus under the name of Circus, for programs that import that",
    license="Apache-2.0",
    python_requires=">=3.9",
    packages=["circus"],
    install_requires=["cvec_circus==0.1.0"],
    entry_points={"console_scripts": [f"{name}=circus.{at}:main" for name, at in PROGRAMS.items()]},
    zip_safe=False,
)
