// Processor time (µs per atom) of n2p2 on the first frame of a file: neighbour list, symmetry
// functions, symmetry functions with derivatives, networks with energy and forces.
#include "Prediction.h"
#include <cstdio>
#include <cstdlib>
#include <ctime>

static double lap(std::clock_t& since, double n) {
    std::clock_t now = std::clock();
    double us = 1e6 * double(now - since) / CLOCKS_PER_SEC / n;
    since = now;
    return us;
}

int main(int argc, char** argv) {
    if (argc < 3) return 1;
    nnp::Prediction p;
    p.log.writeToStdout = false;
    p.setup();
    p.readStructureFromFile(argv[1]);
    nnp::Structure& s = p.structure;
    for (int round = -1; round < std::atoi(argv[2]); round++) {  // round -1 warms up
        s.clearNeighborList();
        for (auto& a : s.atoms) {
            a.clearNeighborList();
            a.hasSymmetryFunctions = a.hasSymmetryFunctionDerivatives = false;
        }
        std::clock_t t = std::clock();
        s.calculateNeighborList(p.getMaxCutoffRadius());
        double neighbours = lap(t, s.numAtoms);
        p.calculateSymmetryFunctionGroups(s, false);
        double plain = lap(t, s.numAtoms);
        for (auto& a : s.atoms) a.hasSymmetryFunctions = false;
        t = std::clock();
        p.calculateSymmetryFunctionGroups(s, true);
        double slopes = lap(t, s.numAtoms);
        p.calculateAtomicNeuralNetworks(s, true);
        p.calculateEnergy(s);
        p.calculateForces(s);
        double rest = lap(t, s.numAtoms);
        if (round >= 0) std::printf("%.2f %.2f %.2f %.2f\n", neighbours, plain, slopes, rest);
    }
}
