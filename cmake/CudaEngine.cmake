# Adds the engine on cuDNN to `engines`, where CUDA and cuDNN are found.
