;;; SPDX-License-Identifier: LGPL-3.0-or-later
;;; Rings: doubly linked lists from which any member is taken out at once.  The
;;; tasks of a group and the waiters of a channel are kept in them.

(define-module (sockport task ring)
  #:use-module (srfi srfi-9)
  #:export (make-ring
            ring-empty?
            ring-add!
            ring-remove!
            ring-first
            ring-fold
            node-value))

;;; A ring is its own head, a node without a value.
(define-record-type <node>
  (make-node value previous next)
  node?
  (value node-value)
  (previous node-previous set-node-previous!)
  (next node-next set-node-next!))

(define (make-ring)
  "Return an empty ring."
  (let ((head (make-node #f #f #f)))
    (set-node-previous! head head)
    (set-node-next! head head)
    head))

(define (ring-empty? ring)
  (eq? (node-next ring) ring))

(define (ring-add! ring value)
  "Add VALUE to the end of RING; return its node."
  (let* ((last (node-previous ring))
         (node (make-node value last ring)))
    (set-node-next! last node)
    (set-node-previous! ring node)
    node))

(define (ring-remove! node)
  "Take NODE out of its ring, unless it is out already."
  (let ((previous (node-previous node)) (next (node-next node)))
    (when next
      (set-node-next! previous next)
      (set-node-previous! next previous)
      (set-node-next! node #f))))

(define (ring-first ring)
  "Return the first node of RING, or #f."
  (let ((first (node-next ring)))
    (and (not (eq? first ring)) first)))

(define (ring-fold kons knil ring)
  "Fold KONS over the values of RING, in their order."
  (let loop ((node (node-next ring)) (result knil))
    (if (eq? node ring)
        result
        (loop (node-next node) (kons (node-value node) result)))))
