// What stands against taking a process into use, or against ending its use.
import { MoverError, type Reason } from '../../contracts/errors.js';

type Role = 'appliance' | 'splitter';

export function notInFile(role: Role, id: string): Reason {
  return {
    code: 'INVALID_REQUEST',
    subject: id,
    message: `the estate file has no ${role} "${id}": its line there says where it listens`,
  };
}

export function inUse(subject: string, message: string): Reason {
  return { code: 'PROCESS_IN_USE', subject, message };
}

/** Asks who answers. @returns why it is not the process that is meant; nothing when it is */
export async function whoAnswers(
  role: Role,
  id: string,
  asked: Promise<{ readonly role: string; readonly id: string }>,
): Promise<Reason[]> {
  try {
    const answer = await asked;
    if (answer.role === role && answer.id === id) return [];
    return [
      {
        code: 'INVALID_REQUEST',
        subject: id,
        message: `where the estate file has ${role} "${id}", ${answer.role} "${answer.id}" answers`,
      },
    ];
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    return [{ code: error.code, subject: id, message: `${role} "${id}" does not answer: ${error.message}` }];
  }
}
