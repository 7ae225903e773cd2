"""The first figure of a session, drawn by defectkit, leaves the notebook's backend working."""

import matplotlib.pyplot as plt

from defectkit.plots.colours import styled


def test_a_backend_loaded_while_drawing_stays_interactive():
    @styled
    def loads_a_backend():
        plt.ion()  # as the inline backend of notebooks does when the first figure loads it
        return plt.rcParams["figure.dpi"]

    before = plt.isinteractive()
    try:
        plt.ioff()
        loads_a_backend()
        assert plt.isinteractive()
    finally:
        (plt.ion if before else plt.ioff)()
