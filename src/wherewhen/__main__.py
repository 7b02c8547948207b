"""The installed package as a command: ``wherewhen run``, ``python -m wherewhen run``.

Data and MLflow's database lie under the working directory. The configuration is ``conf`` there, or
what ``--conf-source`` names: `kedro package` writes it into an archive of its own.
"""

from __future__ import annotations

import logging

LEVELS = {"": "WARNING", "kedro": "WARNING", "kedro.runner": "INFO", "wherewhen": "INFO"}
"""What is logged by whom; in a checkout, ``conf/logging.yml`` says it."""


def main() -> None:
    """Run a command of the project; without one, print which there are."""
    logging.disable()  # Kedro's first import tells which configuration of logging it has found
    from kedro.framework.project import configure_project

    logging.disable(logging.NOTSET)
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
    configure_project("wherewhen")
    from wherewhen.cli import cli

    cli(prog_name="wherewhen")


if __name__ == "__main__":
    main()
