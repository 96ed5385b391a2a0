// Images of volumes: for image access, and for verifying online.
import type { replicaSiteApi } from '../../../contracts/replica-site-api.js';
import type { Handlers } from '../../control-server/handlers.js';
import type { PointCloser } from '../close-point.js';
import type { Images } from '../images.js';
import { digestImage, openMarkImage } from '../mark-images.js';

type ImageCalls = Pick<
  Handlers<typeof replicaSiteApi>,
  | 'openImage'
  | 'keepImages'
  | 'closeImage'
  | 'mapImage'
  | 'imageChanges'
  | 'openMarkImage'
  | 'digestImage'
  | 'closeMarkImage'
>;

export function imageCalls({ site, journals, durability }: PointCloser, images: Images): ImageCalls {
  return {
    openImage: async (input, { signal }) => images.open(input, signal),
    keepImages: ({ images: ids }) => images.keep(ids),
    closeImage: ({ image }) => {
      images.close(image);
      return {};
    },
    mapImage: async ({ image, offset, length }) => ({ parts: [...(await images.parts(image, offset, length))] }),
    imageChanges: async (input, { signal }) => ({ parts: [...(await images.changes(input, signal))] }),
    openMarkImage: async (input, { signal }) => openMarkImage({ site, journals, durability, images }, input, signal),
    digestImage: async (input, { signal }) => digestImage(images, input, signal),
    closeMarkImage: ({ image }) => {
      images.close(image);
      return {};
    },
  };
}
