import { suggestion } from '../options.js';
import { fileText, UsageError } from './usage.js';

/** A GPU that plans are made for, which need not be there. */
export interface Gpu {
  /** As it was asked for: a name or a file. */
  name: string;
  /** Its properties as JSON, with cuDNN's keys. */
  properties: string;
  /** 90 for 9.0. */
  capability: number;
  multiprocessors: number;
}

/** What differs between GPUs. */
interface Preset {
  deviceName: string;
  /** The compute capability: 900 is 9.0. */
  deviceVer: number;
  multiProcessorCount: number;
  smClockRateKHz: number;
  memClockRateKHz: number;
  l2CacheSize: number;
  /** The most that a block may ask for. */
  maxSharedMemoryPerBlockOptin: number;
  maxThreadsPerSM: number;
  maxCtasPerSM: number;
  totalGlobalMem: number;
}

function preset(
  deviceName: string,
  [deviceVer, multiProcessorCount]: [number, number],
  [smClockRateKHz, memClockRateKHz]: [number, number],
  [l2MiB, memoryGiB]: [number, number],
  [maxSharedMemoryPerBlockOptin, maxThreadsPerSM, maxCtasPerSM]: [number, number, number],
): Preset {
  return {
    deviceName,
    deviceVer,
    multiProcessorCount,
    smClockRateKHz,
    memClockRateKHz,
    l2CacheSize: l2MiB * 2 ** 20,
    maxSharedMemoryPerBlockOptin,
    maxThreadsPerSM,
    maxCtasPerSM,
    totalGlobalMem: memoryGiB * 2 ** 30,
  };
}

/** From NVIDIA's data sheets and the programming guide's table of compute capabilities. */
const presets: Readonly<Record<string, Preset>> = {
  t4: preset('Tesla T4', [750, 40], [1590000, 5001000], [4, 15], [65536, 1024, 16]),
  a100: preset('NVIDIA A100-SXM4-80GB', [800, 108], [1410000, 1593000], [40, 79], [166912, 2048, 32]),
  a10: preset('NVIDIA A10', [860, 72], [1695000, 6251000], [6, 22], [101376, 1536, 16]),
  l4: preset('NVIDIA L4', [890, 58], [2040000, 6251000], [48, 22], [101376, 1536, 24]),
  h100: preset('NVIDIA H100 80GB HBM3', [900, 132], [1980000, 2619000], [50, 79], [232448, 2048, 32]),
  h200: preset('NVIDIA H200', [900, 132], [1980000, 3201000], [60, 139], [232448, 2048, 32]),
  b200: preset('NVIDIA B200', [1000, 148], [1965000, 3996000], [126, 178], [232448, 2048, 32]),
};

export const gpuNames = Object.keys(presets);

/**
 * A preset by its name, or the properties in a file.
 * @param driver - of a preset: the CUDA version of its driver, 13000 for 13.0
 * @throws {@link UsageError}
 */
export async function gpu(name: string, driver: number): Promise<Gpu> {
  if (Object.hasOwn(presets, name)) {
    const known = presets[name]!;
    return { name, properties: JSON.stringify(propertiesOf(known, driver)), ...identity(known) };
  }
  if (!name.endsWith('.json')) {
    throw new UsageError(`--gpu does not know '${name}'${suggestion(name, gpuNames)} (or name a FILE.json)`);
  }
  return described(name, await fileText('gpu', name));
}

/** With cuDNN's keys. */
function propertiesOf(known: Preset, driverVer: number): Record<string, unknown> {
  return { ...shared(known), driverVer, ...known };
}

/** What is the same for all GPUs, or follows from their compute capability. */
function shared({ deviceVer }: Preset) {
  return {
    cudaDeviceId: 0,
    maxGridSize: [2147483647, 65535, 65535],
    maxBlockSize: [1024, 1024, 64],
    regsPerBlock: 65536,
    warpSize: 32,
    maxSharedMemoryPerBlock: 49152,
    reservedSharedMemoryPerBlock: deviceVer >= 800 ? 1024 : 0,
    maxRegistersPerSM: 65536,
    pciDeviceId: 0,
    maxThreadsPerBlock: 1024,
    isTccDriver: 0,
    supportCoopLaunch: 1,
  };
}

type Identity = Pick<Gpu, 'capability' | 'multiprocessors'>;

function identity({
  deviceVer,
  multiProcessorCount,
}: Pick<Preset, 'deviceVer' | 'multiProcessorCount'>): Identity {
  return { capability: Math.trunc(deviceVer / 10), multiprocessors: multiProcessorCount };
}

/** What cuDNN 9.8 leaves out where it describes a GPU, and later ones want. */
const sinceThen = { deviceName: 'a GPU', maxThreadsPerBlock: 1024 };

/** Whole numbers that may be 0 of a GPU; the others are at least 1. */
const mayBeNone = [
  ...['cudaDeviceId', 'pciDeviceId', 'isTccDriver', 'supportCoopLaunch', 'reservedSharedMemoryPerBlock'],
  ...['smClockRateKHz', 'memClockRateKHz'],
];

/** Of a file: cuDNN would name neither it nor the key of what it does not accept, and takes much that no GPU has. */
function described(file: string, text: string): Gpu {
  const wrong = (what: string) =>
    new UsageError(
      `--gpu: '${file}' ${what}; 'cudnn-resnet info --device-properties' prints such a file on the GPU`,
    );
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw wrong('is no JSON');
  }
  const values: Record<string, unknown> = { ...sinceThen, ...Object(parsed) };
  const likeThose = propertiesOf(presets.h200!, 13000);
  const check = (key: string) => {
    const example = likeThose[key];
    const most = key === 'totalGlobalMem' ? Number.MAX_SAFE_INTEGER : 2 ** 31 - 1;
    const isWhole = (value: unknown) =>
      Number.isInteger(value) &&
      (value as number) >= (mayBeNone.includes(key) ? 0 : 1) &&
      (value as number) <= most;
    const value = values[key];
    if (Array.isArray(example)) {
      if (!Array.isArray(value) || value.length !== example.length || !value.every(isWhole)) {
        throw wrong(`has no ${example.length} whole numbers '${key}'`);
      }
    } else if (typeof example === 'string' ? typeof value !== 'string' : !isWhole(value)) {
      throw wrong(`has no ${typeof example === 'string' ? 'text' : 'whole number'} '${key}'`);
    }
  };
  check('deviceVer');
  check('multiProcessorCount');
  const deviceVer = values.deviceVer as number;
  if (deviceVer < 750) {
    throw wrong(`is a GPU of compute capability ${deviceVer / 100}, below 7.5 (Turing)`);
  }
  Object.keys(likeThose).forEach(check);
  // Written anew: of a key that stands twice cuDNN would take the first, and of 890.0 no whole number.
  return { name: file, properties: JSON.stringify(values), ...identity(values as unknown as Preset) };
}
