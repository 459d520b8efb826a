import { InvalidRequestError } from '@plumbline/protocol/errors'

/** @param constraint what of the model's template stands against the messages */
export function messagesError(constraint: string, message: string): InvalidRequestError {
  return new InvalidRequestError([{ field: 'messages', constraint, message }])
}

export function noTemplate(): InvalidRequestError {
  return messagesError('chat_template', 'this model has no chat template: give prompt or prompt_token_ids instead')
}
