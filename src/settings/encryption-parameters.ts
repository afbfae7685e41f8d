import { text, texts } from './parameter.js';

/** Encryption on the robot itself. */
export const encryptionParameters = {
  'encryption.recipients': texts(
    {
      ...{ role: 'both', flag: 'encrypt-for' },
      description:
        'Who can read sealed segments (docs/encryption.md): each is encrypted for these while it is sealed, lies so in ' +
        'sealed/, and is uploaded as it is. Nobody else can read it, not even this machine. Empty: segments are not encrypted.',
    },
    'recipient',
    'hfpub1_... as holdfast keygen prints it, or file:PATH of a file with recipients or symmetric keys',
  ),
  'encryption.at_rest_key': text(
    {
      ...{ role: 'recorder', flag: 'at-rest-key', default: '', placeholder: 'file' },
      description:
        'File of symmetric keys (holdfast keygen --symmetric) outside of the data folder. With it, segments are encrypted ' +
        'before they are sealed too: the first key encrypts, all of them read. Needs encryption.recipients. Empty: wal/ is readable.',
    },
    'a path, or nothing',
  ),
} as const;
