/** What sends later than it is asked to. */
interface Sender {
  /** Send now what is due. */
  flush(): void;
}

/**
 * Changes of this page that wait to be sent to Python, which gets them at a pace it can follow.
 *
 * What Python is asked to do with the filters, the selection or the plan must follow what a person
 * sees: such a request flushes first.
 */
export class Outbox {
  #senders: Sender[] = [];

  add<T extends Sender>(sender: T): T {
    this.#senders.push(sender);
    return sender;
  }

  flush(): void {
    for (const sender of this.#senders) sender.flush();
  }
}
