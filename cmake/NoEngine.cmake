# Neither library is there: say what would help, on which system.
message(FATAL_ERROR "
cudnn-resnet needs at least one of two libraries, and this machine has neither:

  oneDNN 2.6 or newer, to run on the CPU:
    Debian, Ubuntu:  apt-get install libdnnl-dev
    Fedora:          dnf install onednn-devel
    macOS:           brew install onednn libomp
    elsewhere:       set ONEDNN_PATH to the folder that holds include/ and lib/

  CUDA 12 or 13 with nvcc, and cuDNN 9.8 or newer, to run on an NVIDIA GPU:
    Debian, Ubuntu:  apt-get install cuda-toolkit cudnn9-cuda-13    (from NVIDIA's repository)
    Fedora, RHEL:    dnf install cuda-toolkit cudnn9-cuda-13        (from NVIDIA's repository)
    elsewhere:       set CUDNN_PATH and CUDAToolkit_ROOT to their folders

Then run npm install again.
")
