import { checkBoolean } from '../boolean.js';
import { type Device, type DeviceId, device } from '../device.js';
import { checkFloatDType, type FloatDType, isFloatDType } from '../dtype.js';
import { CudnnResnetError } from '../errors.js';
import { checkOptions } from '../options.js';
import { type Profile, type ProfileOptions, profile } from '../profile.js';
import { registerOwner, unregisterOwner, unscoped } from '../scope.js';
import { Tensor } from '../tensor.js';
import { Parameter } from './parameter.js';
import { checkWrite, type StateDictionary, stateDictPlan, stateEntries, writeEntry } from './state-dict.js';

/** Where a module's tensors are, and of what type those of floating-point numbers. */
export interface Placement {
  device?: Device | undefined;
  dtype?: FloatDType | undefined;
}

/** What {@link Module.loadStateDict} found different, where it is not strict. */
export interface LoadResult {
  /** Keys of the module that the state dict lacks: these tensors kept their values. */
  missing: string[];
  /** Keys of the state dict that the module lacks. */
  unexpected: string[];
}

/**
 * The base of every layer and model, as in PyTorch. Its own properties that are modules, parameters or tensors are its
 * submodules, parameters and buffers, under their names and in the order of their assignment. A class of yours that
 * extends it and assigns layers in its constructor has its state dict, its text, `train`, `eval`, `to` and `dispose`.
 * Those in an array, or under a `#name`, are none of these: put them into a `Sequential`.
 *
 * A module starts in training mode.
 */
export abstract class Module {
  /** Whether the module is in training mode: see {@link Module.train}. */
  training = true;

  constructor() {
    registerOwner(this);
  }

  /** What the module makes of `x`: a new tensor, at once. Throws as its operations do. */
  abstract forward(x: Tensor): Tensor;

  /** The submodules, by name. */
  children(): [string, Module][] {
    return Object.entries(this).filter((entry): entry is [string, Module] => entry[1] instanceof Module);
  }

  /** The parameters, those of submodules included; each once, however many names it has. */
  parameters(): Parameter[] {
    return [...new Set(this.stateDict().values())].filter((tensor) => tensor instanceof Parameter);
  }

  /** The tensors that are kept with the parameters but not learnt, such as running statistics; each once. */
  buffers(): Tensor[] {
    return [...new Set(this.stateDict().values())].filter((tensor) => !(tensor instanceof Parameter));
  }

  /** Parameters and buffers by their path, for example `layer1.0.conv1.weight`; the tensors are the module's own. */
  stateDict(): Map<string, Tensor> {
    return new Map(this.namedTensors());
  }

  /**
   * Copies values into the parameters and buffers. All is checked first: `ERR_WEIGHTS` lists the keys that are missing,
   * unexpected or of another shape, or says whose elements are not what the entry says; nothing is changed then. With
   * `strict: false` missing and unexpected keys are only returned. Values are converted to each tensor's dtype. As in PyTorch
   * no `num_batches_tracked` of a batch norm is missing: files from before 0.4.1 have none, and it keeps its value.
   * Throws `ERR_BUSY` with some of them written: another call, once `device.ready()` resolves, writes all. A tensor for whose
   * values there is no memory, when its turn comes, has none until another call: reading it rejects with `ERR_OUT_OF_MEMORY`.
   */
  loadStateDict(dict: StateDictionary, options: { strict?: boolean | undefined } = {}): LoadResult {
    checkOptions('loadStateDict', options, ['strict']);
    const given = stateEntries('loadStateDict', dict);
    const misfit = 'the state dict does not fit the module';
    const strict = checkBoolean('loadStateDict: strict', options.strict ?? true);
    const optional = new Set(this.optionalTensors());
    const plan = stateDictPlan(misfit, this.stateDict(), given, { strict, optional });
    for (const [key, tensor, entry] of plan.writes) {
      checkWrite(key, tensor, entry);
    }
    for (const [, tensor, entry] of plan.writes) {
      writeEntry(tensor, entry);
    }
    return { missing: plan.missing, unexpected: plan.unexpected };
  }

  /**
   * What each operation of `forward(x)` takes, by layer: print it, or write it as a trace. The operations run one by
   * one and each is waited for. In training mode this moves the running statistics, as `forward` does.
   *
   * @throws `ERR_ARGUMENT` where `forward` does not do the same operations at each run, and where the calls of a module
   *   cannot be followed, as those of a frozen one; what `forward` throws, and what reading its result rejects with
   */
  profile(x: Parameters<this['forward']>[0], options?: ProfileOptions): Promise<Profile> {
    return profile(this, x, options);
  }

  /** Training mode: batch norms use, and move, the statistics of the batch. There are no gradients. */
  train(mode = true): this {
    this.training = checkBoolean('train: mode', mode);
    for (const [, child] of this.children()) {
      child.train(mode);
    }
    return this;
  }

  /** Inference mode: batch norms use their running statistics and are folded into the convolutions before them. */
  eval(): this {
    return this.train(false);
  }

  /**
   * Moves parameters and buffers to another device, or to another floating-point dtype those that have one; those of
   * batch norms stay float32. A tensor that is there already stays what it is, and one that has several names keeps
   * them. Throws `ERR_DTYPE` where `dtype` is none, and `ERR_BUSY`, with some of them moved: another call moves the rest.
   * A tensor for which there is no memory, when its turn comes, loses its values: reading it rejects with
   * `ERR_OUT_OF_MEMORY`, and so does what is computed with it, until it is loaded anew.
   */
  to(options: { device?: DeviceId | Device | undefined; dtype?: FloatDType | undefined }): this {
    checkOptions('Module.to', options, ['device', 'dtype']);
    const { dtype } = options;
    if (dtype !== undefined) {
      checkFloatDType('Module.to', dtype);
    }
    const to = options.device === undefined ? undefined : device(options.device);
    this.moveTensors({ device: to, dtype }, new Map());
    return this;
  }

  /** @internal {@link Module.to}; `moved` holds what tensors have become so far. */
  protected moveTensors(to: Placement, moved: Map<Tensor, Tensor>): void {
    const own = this.ownPlacement(to);
    for (const [name, tensor] of this.ownEntries()) {
      const became = moved.get(tensor) ?? movedTensor(tensor, own);
      if (became !== tensor) {
        try {
          Object.assign(this, { [name]: became });
        } catch (error) {
          if (!moved.has(tensor)) became.dispose(); // else another module has it
          throw new CudnnResnetError(
            'ERR_ARGUMENT',
            `Module.to: ${name} is read-only, or its module is frozen`,
            { cause: error },
          );
        }
        moved.set(tensor, became);
        tensor.dispose();
      }
    }
    for (const [, child] of this.children()) {
      child.moveTensors(to, moved);
    }
  }

  /** @internal Where {@link Module.to} brings this module's tensors, those of submodules apart. */
  protected ownPlacement(to: Placement): Placement {
    return to;
  }

  /** Frees the parameters and buffers, those of submodules included. */
  dispose(): void {
    for (const tensor of this.ownTensors()) {
      tensor.dispose();
    }
    for (const [, child] of this.children()) {
      child.dispose();
    }
    unregisterOwner(this);
  }

  /** {@link Module.dispose}, at the end of a `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The text that PyTorch's `print(module)` gives. */
  toString(): string {
    const children = this.children().map(([name, child]) => `(${name}): ${indented(String(child))}`);
    const extra = this.describeOptions();
    if (children.length === 0) {
      return `${this.typeName()}(${extra})`;
    }
    const lines = extra ? [extra, ...children] : children;
    return `${this.typeName()}(\n  ${lines.join('\n  ')}\n)`;
  }

  /** What the text shows between the parentheses: the options of a layer. */
  protected describeOptions(): string {
    return '';
  }

  /** The name that the text begins with. */
  protected typeName(): string {
    return this.constructor.name;
  }

  /** @internal The scalars of int64 that a state dict may lack, those of submodules included. */
  optionalTensors(): Tensor[] {
    return this.children().flatMap(([, child]) => child.optionalTensors());
  }

  /** @internal The parameters and buffers, without those of submodules. */
  ownTensors(): Tensor[] {
    return Object.values(this).filter((value) => value instanceof Tensor);
  }

  private ownEntries(): [string, Tensor][] {
    const tensors = Object.entries(this).filter(
      (entry): entry is [string, Tensor] => entry[1] instanceof Tensor,
    );
    // PyTorch lists a module's parameters before its buffers
    return [
      ...tensors.filter(([, tensor]) => tensor instanceof Parameter),
      ...tensors.filter(([, tensor]) => !(tensor instanceof Parameter)),
    ];
  }

  private *namedTensors(prefix = ''): Generator<[string, Tensor]> {
    for (const [name, tensor] of this.ownEntries()) {
      yield [prefix + name, tensor];
    }
    for (const [name, child] of this.children()) {
      yield* child.namedTensors(`${prefix}${name}.`);
    }
  }
}

/** The tensor on another device or, where it has a floating-point dtype, of another one; itself where it is that. */
function movedTensor(tensor: Tensor, to: Placement): Tensor {
  const on = to.device ?? tensor.device;
  const dtype = isFloatDType(tensor.dtype) ? (to.dtype ?? tensor.dtype) : tensor.dtype;
  if (on === tensor.device && dtype === tensor.dtype) {
    return tensor;
  }
  const moved = unscoped(() => tensor.to({ device: on, dtype }));
  return tensor instanceof Parameter ? new Parameter(moved) : moved;
}

function indented(text: string): string {
  return text.replaceAll('\n', '\n  ');
}
