import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect } from 'vitest';
import { type Download, download } from '../../lib/weights/download.js';
import { sha256 } from './digest.js';
import { content } from './download-server.js';
import { temporaryFolder } from './temporary-folder.js';

/** Where a file is downloaded to: each test finds the folder absent. */
export class DownloadCache {
  folder = '';

  constructor() {
    beforeEach(async () => {
      this.folder = join(await temporaryFolder(), 'cache');
    });
  }

  get path(): string {
    return join(this.folder, 'file.pth');
  }

  /** The name of what is there of a file with this entity tag while it is not whole. */
  partName(etag = '"one"'): string {
    return `file.pth.part.${Buffer.from(etag).toString('hex')}`;
  }

  job(url: string, options: Partial<Download> = {}): Download {
    return {
      url,
      path: this.path,
      digest: sha256(content).slice(0, 8),
      stallTimeout: 5000,
      onProgress: undefined,
      signal: undefined,
      ...options,
    };
  }

  download(url: string, options?: Partial<Download>): Promise<void> {
    return download(this.job(url, options));
  }

  async expectComplete(): Promise<void> {
    expect(await readdir(this.folder)).toEqual(['file.pth']);
    expect((await readFile(this.path)).equals(content)).toBe(true);
  }
}
