/* Empty on purpose: this target only carries the flags of libtorch.pc to CTorch. */
