# Neither library is there: say what would help, on which system.
message(FATAL_ERROR "
cudnn-resnet needs at least one of two libraries, and this machine has neither:

  oneDNN 2.6 or newer, to run on the CPU:
    Debian, Ubuntu:  apt-get install libdnnl-dev
    Fedora:          dnf install onednn-devel
    macOS:           brew install onednn libomp    (and OpenMP_ROOT=$(brew --prefix libomp), where OpenMP is not found)
    elsewhere:       set ONEDNN_PATH to the folder that holds include/ and lib/

  CUDA 12 or 13 with nvcc, cuDNN 9.8 or newer, and cudnn-frontend's headers, to run on an NVIDIA GPU:
    Debian, Ubuntu:  apt-get install cuda-toolkit cudnn9-cuda-13    (from NVIDIA's repository)
    Fedora, RHEL:    dnf install cuda-toolkit cudnn9-cuda-13        (from NVIDIA's repository)
    cudnn-frontend:  pip install nvidia-cudnn-frontend, or set CUDNN_FRONTEND_PATH to the folder that holds include/
    elsewhere:       set CUDNN_PATH and CUDAToolkit_ROOT to their folders
    in a checkout:   npm run setup:cuda gets all of it

Then run npm install again.
")
