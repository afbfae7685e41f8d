import { texts } from './parameter.js';

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
} as const;
